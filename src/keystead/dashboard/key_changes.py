"""What an edit of a key changes: before and after of each thing, and whether it lets more through."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from markupsafe import Markup

from keystead.dashboard.key_form import KeyForm, key_change
from keystead.dashboard.render import Reading
from keystead.dashboard.rules import all_in_words
from keystead.domain.keys import Key
from keystead.domain.reach import Reach, reach_of, wider_in
from keystead.services.drafts import (
    asked_expiry,
    drafted_constraints,
    drafted_labels,
    drafted_networks,
    drafted_origins,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that an edit changes; `label` is the id of its name. `wider`: more may be let through."""

    label: str
    before: Markup
    after: Markup
    wider: bool


def differences(
    key: Key, typed: KeyForm, zone: tzinfo, reading: Reading, public_methods: Sequence[str]
) -> Sequence[Difference]:
    """All that the form changes of a key, under this ceiling. Raises InvalidInput for a form with faults."""
    after = _edited(key, typed, zone, reading.now)
    pairs = (
        ("name", _text(key.name), _text(after.name)),
        ("requests", _rules(key, public_methods, reading), _rules(after, public_methods, reading)),
        ("networks", _list(key.allowed_networks, reading), _list(after.allowed_networks, reading)),
        ("origins", _list(key.allowed_origins, reading), _list(after.allowed_origins, reading)),
        ("scopes", _list(key.scopes, reading), _list(after.scopes, reading)),
        ("expiry", _end(key.expires_at, reading), _end(after.expires_at, reading)),
        ("labels", _labels(key, reading), _labels(after, reading)),
    )
    return [
        Difference(label=f"keys.{name}", before=before, after=now, wider=_wider(name, key, after))
        for name, before, now in pairs
        if before != now
    ]


def _edited(key: Key, typed: KeyForm, zone: tzinfo, now: datetime) -> Key:
    draft = key_change(typed, zone)
    asked = asked_expiry(draft, now)
    return replace(
        key,
        name=typed.name,
        constraints=drafted_constraints(typed.constraints),
        allowed_networks=drafted_networks(draft.allowed_networks or []),
        allowed_origins=drafted_origins(draft.allowed_origins or []),
        scopes=tuple(sorted(set(typed.scopes))),
        labels=drafted_labels(draft.labels or {}),
        expires_at=key.expires_at if asked is None else asked.at,
    )


_OF_REACH = {
    "requests": "constraints",
    "networks": "allowed_networks",
    "origins": "allowed_origins",
    "scopes": "scopes",
}


def _wider(name: str, before: Key, after: Key) -> bool:
    """Whether more may be let through: what cannot be proved to be no wider is warned of."""
    if name == "expiry":
        return before.expires_at is not None and (
            after.expires_at is None or after.expires_at > before.expires_at
        )
    if name not in _OF_REACH:
        return False
    # One thing at a time: all the rest is as it was, and its lifetime is judged above.
    outer: Reach = replace(reach_of(before), lifetime=None)
    field = _OF_REACH[name]
    return wider_in(outer, replace(outer, **{field: getattr(reach_of(after), field)})) is not None


def _text(text: str) -> Markup:
    return Markup.escape(text)


def _rules(key: Key, public_methods: Sequence[str], reading: Reading) -> Markup:
    return Markup("<br>").join(all_in_words(key.type, key.constraints, public_methods, reading.texts))


def _list(items: Sequence[str], reading: Reading) -> Markup:
    return Markup.escape(", ".join(items) or reading.texts.text("keys.any"))


def _labels(key: Key, reading: Reading) -> Markup:
    pairs = [f"{name}={value}" for name, value in sorted(key.labels.items())]
    return Markup.escape(", ".join(pairs) or reading.texts.text("keys.none"))


def _end(instant: datetime | None, reading: Reading) -> Markup:
    if instant is None:
        return Markup.escape(reading.texts.text("keys.expiry-never"))
    return reading.exact(instant)
