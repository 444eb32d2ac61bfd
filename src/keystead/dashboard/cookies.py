"""Our cookies by name; `House.cookie` says how far they travel."""

from datetime import timedelta

SESSION = "keystead-session"
"""The secret of a session."""

DEVICE = "keystead-device"
"""What tells that somebody signed in with this browser before; opens nothing."""

ORGANIZATION = "keystead-organization"
"""The organization whose pages were looked at last; only a wish, judged like any other."""

PROVIDER = "keystead-provider"
"""Where the provider who let somebody in wants them back; judged whenever it is read (see `provider`)."""

VISITOR = "keystead-visitor"
"""What the forms of somebody who is not signed in are bound to."""

LONGEST = timedelta(days=400)
"""Browsers keep none for longer."""
