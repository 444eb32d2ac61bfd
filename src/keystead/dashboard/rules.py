"""Constraints as people read them: "GET and POST on paths beginning orders/"."""

from collections.abc import Iterator, Sequence

from babel.lists import format_list
from markupsafe import Markup

from keystead.dashboard.render import AnyRequest, texts_of
from keystead.dashboard.texts import Texts
from keystead.domain.constraints import Constraint, ConstraintType
from keystead.domain.keys import Key

_SEGMENT_ENDS = ("/", "?", ".", "-", "_", "~", "=", ":", "@")
"""Characters at the end of a prefix that show where its author meant it to end."""


def in_words(constraint: Constraint, texts: Texts) -> Markup:
    """One constraint as a sentence; methods and pattern stand in chips."""
    return texts.markup(
        f"keys.rule-{constraint.type}",
        methods=_methods(constraint.methods, texts),
        pattern=_chip(constraint.pattern or ""),
    )


def all_in_words(constraints: Sequence[Constraint], request: AnyRequest) -> Sequence[Markup]:
    """Each constraint as a sentence, in the reader's language."""
    texts = texts_of(request)
    return [in_words(it, texts) for it in constraints]


def summary(key: Key, texts: Texts) -> Markup:
    """All that narrows a key, in a line: its first constraint, how many more, from where."""
    return Markup("").join(_parts(key, texts))


def also_opened(constraint: Constraint) -> str | None:
    """A path that a prefix opens though its author may not mean it: `/jobsadmin` for `jobs`; else None."""
    pattern = constraint.pattern or ""
    if constraint.type is not ConstraintType.PREFIX or pattern.endswith(_SEGMENT_ENDS):
        return None
    return f"/{pattern.removeprefix('/')}admin"


def _parts(key: Key, texts: Texts) -> Iterator[Markup]:
    if key.constraints:
        yield in_words(key.constraints[0], texts)
    else:
        yield Markup.escape(texts.text("keys.rule-any"))
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
    if not methods:
        return Markup.escape(texts.text("keys.rule-any-method"))
    # Chips are escaped one by one, and what a language puts between them is plain text.
    return Markup(format_list([_chip(it) for it in methods], locale=texts.locale))  # noqa: S704


def _chip(text: str) -> Markup:
    return Markup('<code class="chip" translate="no">{}</code>').format(text)
