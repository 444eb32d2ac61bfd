"""What a form remembers of the thing that it changes: a change since then is not overwritten."""

from keystead.dashboard.forms import Form

FIELD = "revision"

_MOST_DIGITS = 9


def revision_of(form: Form) -> int | None:
    """The revision that the page showed; None, which is checked against nothing, where it holds none."""
    text = form.text(FIELD)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None
