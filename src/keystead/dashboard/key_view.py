"""Keys as pages show them: their state, what is said beside it, and what becomes of old tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from markupsafe import Markup

from keystead.dashboard.rules import summary
from keystead.dashboard.texts import Texts
from keystead.domain.keys import Key, KeyType, Status, Version
from keystead.domain.rotation import is_safe_to_retire

SOON = timedelta(days=14)
"""An expiry nearer than this is warned of, unless the key was given little more than that."""

_SHORT_LIFE = 4
"""A key that was made for a short time is warned of in the last quarter of it only."""


class State(StrEnum):
    """What a key is now, as people see it: `rolling` is active, with an old token still alive."""

    ACTIVE = "active"
    ROLLING = "rolling"
    DISABLED = "disabled"
    EXPIRED = "expired"
    REVOKED = "revoked"


_KINDS = {
    State.ACTIVE: "good",
    State.ROLLING: "warn",
    State.DISABLED: "warn",
    State.EXPIRED: "plain",
    State.REVOKED: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVersion:
    """A token of a key as its page shows it."""

    version: Version
    current: bool
    live: bool
    safe: bool

    @property
    def faded(self) -> bool:
        """Whether it stands back: it no longer works."""
        return not self.live


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """A key at one instant. `changeable`: whether the person may manage it; `app` is its app's name.

    `public_methods` is the ceiling for public keys of its organization.
    """

    key: Key
    now: datetime
    public_methods: tuple[str, ...]
    changeable: bool = True
    app: str = ""

    @property
    def state(self) -> State:
        """What the key is now."""
        status = self.key.status(self.now)
        if status is Status.ACTIVE and self.old_until is not None:
            return State.ROLLING
        return State(status.value)

    @property
    def kind(self) -> str:
        """The colour of the state's badge."""
        return _KINDS[self.state]

    @property
    def faded(self) -> bool:
        """Whether the row stands back: no request can be let through any more."""
        return self.state in {State.EXPIRED, State.REVOKED}

    @property
    def is_public(self) -> bool:
        """Whether its token may be shown again."""
        return self.key.type is KeyType.PUBLIC

    def rule(self, texts: Texts) -> Markup:
        """All that narrows the key, in a line."""
        return summary(self.key, self.public_methods, texts)

    @property
    def ends_soon(self) -> bool:
        """Whether its end is near enough to say so."""
        key = self.key
        if key.expires_at is None or self.state not in {State.ACTIVE, State.ROLLING}:
            return False
        near = SOON if key.lifetime is None else min(SOON, key.lifetime / _SHORT_LIFE)
        return key.expires_at - self.now <= near

    @property
    def old_until(self) -> datetime | None:
        """When the last of its old tokens stops working; None when there is none left."""
        ends = [it.retires_at for it in self.key.versions[:-1] if it.is_live(self.now)]
        return max((it for it in ends if it is not None), default=None)

    @property
    def versions(self) -> Sequence[ShownVersion]:
        """Its tokens, the newest first."""
        return [
            ShownVersion(
                version=it,
                current=it is self.key.newest,
                live=it.is_live(self.now),
                safe=is_safe_to_retire(self.key, it, self.now),
            )
            for it in reversed(self.key.versions)
        ]
