"""Constraints as people read them: "GET and POST on paths beginning orders/"."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from babel.lists import format_list
from markupsafe import Markup

from keystead.dashboard.texts import Texts
from keystead.domain.constraints import Constraint, ConstraintType
from keystead.domain.keys import Key, KeyType

_SEGMENT_ENDS = ("/", "?", ".", "-", "_", "~", "=", ":", "@")
"""Characters at the end of a prefix that show where its author meant it to end."""

# No request has it: none at all would stand for every method.
_NO_METHODS = ("",)


def in_force(
    kind: str, constraints: Sequence[Constraint], public_methods: Sequence[str]
) -> Sequence[Constraint]:
    """A key's constraints as they are judged, each in its place.

    A public key can never do more than `public_methods`, its organization's ceiling: without constraints of
    its own it has one, on methods alone.
    """
    if kind != KeyType.PUBLIC:
        return constraints
    own = constraints or (Constraint(type=ConstraintType.VERB, pattern=None, methods=()),)
    return [replace(it, methods=_within(it.methods, public_methods)) for it in own]


def in_words(constraint: Constraint, texts: Texts) -> Markup:
    """One constraint as a sentence; methods and pattern stand in chips."""
    return texts.markup(
        f"keys.rule-{constraint.type}",
        methods=_methods(constraint.methods, texts),
        pattern=_chip(constraint.pattern or ""),
    )


def all_in_words(
    kind: str, constraints: Sequence[Constraint], public_methods: Sequence[str], texts: Texts
) -> Sequence[Markup]:
    """What a key with these constraints may ask for, in sentences; at least one."""
    found = in_force(kind, constraints, public_methods)
    return [in_words(it, texts) for it in found] or [Markup.escape(texts.text("keys.rule-any"))]


def summary(key: Key, public_methods: Sequence[str], texts: Texts) -> Markup:
    """All that narrows a key, in a line: its first constraint, how many more, from where."""
    return Markup("").join(_parts(key, public_methods, texts))


def also_opened(constraint: Constraint) -> str | None:
    """A path that a prefix opens though its author may not mean it: `/jobsadmin` for `jobs`; else None."""
    pattern = constraint.pattern or ""
    if constraint.type is not ConstraintType.PREFIX or pattern.endswith(_SEGMENT_ENDS):
        return None
    return f"/{pattern.removeprefix('/')}admin"


def _within(methods: Sequence[str], most: Sequence[str]) -> tuple[str, ...]:
    return tuple(it for it in methods or most if it in most) or _NO_METHODS


def _parts(key: Key, public_methods: Sequence[str], texts: Texts) -> Iterator[Markup]:
    yield all_in_words(key.type, key.constraints[:1], public_methods, texts)[0]
    if len(key.constraints) > 1:
        yield Markup.escape(texts.plural("keys.rule-more", len(key.constraints) - 1))
    for places in (key.allowed_networks, key.allowed_origins):
        if places:
            yield Markup.escape(_from(places, texts))


def _from(places: Sequence[str], texts: Texts) -> str:
    if len(places) == 1:
        return texts.text("keys.rule-from", place=places[0])
    return texts.plural("keys.rule-from-more", len(places) - 1, place=places[0])


def _methods(methods: Sequence[str], texts: Texts) -> Markup:
    if methods == _NO_METHODS:
        return Markup.escape(texts.text("keys.rule-no-method"))
    if not methods:
        return Markup.escape(texts.text("keys.rule-any-method"))
    # Chips are escaped one by one, and what a language puts between them is plain text.
    return Markup(format_list([_chip(it) for it in methods], locale=texts.locale))  # noqa: S704


def _chip(text: str) -> Markup:
    return Markup('<code class="chip" translate="no">{}</code>').format(text)
