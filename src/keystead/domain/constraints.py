"""Route constraints: what may stand in one, what it lets through, and when one list is no wider than another.

Regexes are RE2's, so matching is linear in the path; canonical paths are ASCII, so patterns are read as bytes
(Latin-1), which keeps programs small: under UTF-8, `(?i)s` also costs the instructions for the long s.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import assert_never, cast

import re2

from keystead.domain.errors import InvalidInput
from keystead.domain.paths import MAX_REGEX_PATH_BYTES, canonical_path

MAX_CONSTRAINTS = 50
MAX_PATTERN_LENGTH = 1024
MAX_METHODS = 20
MAX_PATTERN_PROGRAM = 400
MAX_KEY_PROGRAM = 2000

_METHOD = re.compile(r"[A-Z][A-Z-]{0,19}")
_REGEX_TEXT = re.compile(r"[\x21-\x7e]+")
# A bound on what one compiled list may come to hold; RE2 needs room for 20 states of the largest program.
_RE2_MEMORY_BYTES = 512 * 1024


class ConstraintType(StrEnum):
    """How a constraint's pattern is read."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"
    VERB = "verb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A rule on method and path, made by `make_constraint`.

    `pattern` is as its author wrote it, None for `verb`; `methods` are sorted and unique, and none of them
    means every method.
    """

    type: ConstraintType
    pattern: str | None
    methods: tuple[str, ...]


def make_constraint(type: str, pattern: str | None, methods: Sequence[str], *, field: str) -> Constraint:  # noqa: A002 - the word of the wire
    """A valid constraint; `field` is its place, such as `constraints[3]`.

    Patterns have 1 to 1,024 characters. Those of `exact` and `prefix` are canonical paths with or without the
    leading `/`; a `regex` compiles in RE2, alone and wrapped, to at most 400 instructions; `verb` has none,
    and at least one method. At most 20 methods. Raises InvalidInput, naming `{field}.pattern` and the like.
    """
    kind = _make_type(type, f"{field}.type")
    made = Constraint(
        type=kind,
        pattern=_make_pattern(kind, pattern, f"{field}.pattern"),
        methods=make_methods(methods, field=f"{field}.methods"),
    )
    if kind is ConstraintType.VERB and not made.methods:
        raise InvalidInput(
            f"{field}.methods",
            "name at least one method: a verb constraint has nothing else",
            rule="verb-without-method",
        )
    return made


def make_constraints(
    items: Sequence[tuple[str, str | None, Sequence[str]]],
    *,
    field: str = "constraints",
) -> tuple[Constraint, ...]:
    """All constraints of a key, from (type, pattern, methods); repeated ones are folded, order is kept.

    At most 50, whose regexes come to at most 2,000 instructions together. Raises InvalidInput.
    """
    if len(items) > MAX_CONSTRAINTS:
        problem = f"give at most {MAX_CONSTRAINTS}; there are {len(items)}"
        raise InvalidInput(field, problem, rule="too-many", most=MAX_CONSTRAINTS, given=len(items))
    made = tuple(dict.fromkeys(make_constraint(*item, field=f"{field}[{i}]") for i, item in enumerate(items)))
    _require_small(made, field)
    return made


def make_methods(methods: Sequence[str], *, field: str) -> tuple[str, ...]:
    """Methods, sorted and unique: at most 20, each of 1 to 20 capitals and `-`. Raises InvalidInput."""
    if len(methods) > MAX_METHODS:
        raise InvalidInput(
            field, f"name at most {MAX_METHODS} methods", rule="too-many-methods", most=MAX_METHODS
        )
    for method in methods:
        if _METHOD.fullmatch(method):
            continue
        if method.isascii() and _METHOD.fullmatch(method.upper()):
            problem = f"write {method.upper()}: methods are told apart by letter case"
            raise InvalidInput(field, problem, rule="method-case", method=method.upper())
        raise InvalidInput(
            field, "write HTTP methods such as GET: 1 to 20 capital letters and -", rule="method"
        )
    return tuple(sorted(set(methods)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ways:
    """All that lets a request of one method through, by what is cheapest to ask first."""

    any_path: bool
    paths: frozenset[str]
    prefixes: tuple[str, ...]
    regexes: frozenset[int]


class Matcher:
    """A compiled list of constraints; made by `compile_constraints`, never changed.

    The path given to it is canonical (see `paths.canonical_path`). With a regex in the list, it holds up to
    512 KiB, and a path of more than 2,048 bytes meets no constraint at all, regex or not.
    """

    __slots__ = ("_constraints", "_named", "_others", "_path_limit", "_regexes")

    def __init__(self, constraints: tuple[Constraint, ...]) -> None:
        """Compile `constraints`, as made by `make_constraints`."""
        has_regex = _has_regex(constraints)
        self._constraints = constraints
        self._regexes = _compiled_set(constraints) if has_regex else None
        self._path_limit = MAX_REGEX_PATH_BYTES if has_regex else None
        named = {method for constraint in constraints for method in constraint.methods}
        self._named = {method: _ways(constraints, method) for method in named}
        self._others = _ways(constraints, None)

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is let through; an empty list lets every request through."""
        if not self._constraints:
            return True
        if self._path_limit is not None and len(path) > self._path_limit:
            return False
        ways = self._named.get(method, self._others)
        return (
            ways.any_path
            or path in ways.paths
            or path.startswith(ways.prefixes)
            or (bool(ways.regexes) and not ways.regexes.isdisjoint(self._hits(path)))
        )

    def matching(self, method: str, path: str) -> int | None:
        """The index of the first constraint that lets a request through, if any; None for an empty list."""
        if self._path_limit is not None and len(path) > self._path_limit:
            return None
        for index, constraint in enumerate(self._constraints):
            if _allows_method(constraint, method) and _allows_path(constraint, path):
                return index
        return None

    def _hits(self, path: str) -> Sequence[int]:
        if self._regexes is None:
            return ()
        # The stubs say bool; the wrapper answers indexes, or None for no match.
        return cast("list[int] | None", self._regexes.Match(path.encode())) or ()


@lru_cache(maxsize=512)
def compile_constraints(constraints: tuple[Constraint, ...]) -> Matcher:
    """The matcher for a key's constraints, which come from `make_constraints`."""
    return Matcher(constraints)


def covers(outer: tuple[Constraint, ...], inner: tuple[Constraint, ...]) -> bool:
    """Whether it is proved that every request `inner` lets through, `outer` lets through too.

    An empty list lets any request through, ambiguous ones and those without a method or path included, so
    only an empty list covers it. Each inner constraint, for each of its methods, must lie within a single
    outer one: what only several could cover together, or a regex within anything but the same regex or any
    path, is not proved, and False.
    """
    if not outer:
        return True
    if not inner:
        return False
    if _has_regex(outer) and not _is_short(inner):
        return False
    return all(_is_covered(outer, constraint) for constraint in inner)


def _is_short(constraints: tuple[Constraint, ...]) -> bool:
    # A list with a regex refuses every path over 2,048 bytes, whichever of its constraints would match. So it
    # covers only a list that does so too, or one of exact paths, of at most 1,025 bytes each.
    return _has_regex(constraints) or all(one.type is ConstraintType.EXACT for one in constraints)


def _is_covered(outer: tuple[Constraint, ...], inner: Constraint) -> bool:
    within = [constraint for constraint in outer if _covers_paths(constraint, inner)]
    if any(not constraint.methods for constraint in within):
        return True
    # Methods are an open set: those named in `outer` never add up to every method.
    named = {method for constraint in within for method in constraint.methods}
    return bool(inner.methods) and named.issuperset(inner.methods)


def _covers_paths(outer: Constraint, inner: Constraint) -> bool:
    if _is_any_path(outer):
        return True
    match inner.type:
        case ConstraintType.EXACT:
            return _allows_path(outer, _path(inner))
        case ConstraintType.PREFIX:
            return outer.type is ConstraintType.PREFIX and _path(inner).startswith(_path(outer))
        case ConstraintType.REGEX:
            return outer.type is ConstraintType.REGEX and outer.pattern == inner.pattern
        case ConstraintType.VERB:
            return False
        case _:
            assert_never(inner.type)


def _allows_method(constraint: Constraint, method: str) -> bool:
    return not constraint.methods or method in constraint.methods


def _allows_path(constraint: Constraint, path: str) -> bool:
    match constraint.type:
        case ConstraintType.EXACT:
            return path == _path(constraint)
        case ConstraintType.PREFIX:
            return path.startswith(_path(constraint))
        case ConstraintType.REGEX:
            return _compiled(constraint).fullmatch(path.encode()) is not None
        case ConstraintType.VERB:
            return True
        case _:
            assert_never(constraint.type)


def _is_any_path(constraint: Constraint) -> bool:
    # Every canonical path begins with a slash.
    return constraint.type is ConstraintType.VERB or (
        constraint.type is ConstraintType.PREFIX and _path(constraint) == "/"
    )


def _has_regex(constraints: tuple[Constraint, ...]) -> bool:
    return any(constraint.type is ConstraintType.REGEX for constraint in constraints)


def _ways(constraints: tuple[Constraint, ...], method: str | None) -> _Ways:
    """Ways for `method`, or for a method that no constraint names."""
    open_to_it = [c for c in constraints if not c.methods or method in c.methods]
    regexes = [c for c in constraints if c.type is ConstraintType.REGEX]
    return _Ways(
        any_path=any(_is_any_path(c) for c in open_to_it),
        paths=frozenset(_path(c) for c in open_to_it if c.type is ConstraintType.EXACT),
        prefixes=tuple(_path(c) for c in open_to_it if c.type is ConstraintType.PREFIX),
        regexes=frozenset(regexes.index(c) for c in open_to_it if c.type is ConstraintType.REGEX),
    )


def _path(constraint: Constraint) -> str:
    return _with_slash(_text(constraint))


def _text(constraint: Constraint) -> str:
    if constraint.pattern is None:
        raise AssertionError(f"a {constraint.type} constraint without a pattern")
    return constraint.pattern


def _with_slash(pattern: str) -> str:
    return pattern if pattern.startswith("/") else f"/{pattern}"


def _make_type(text: str, field: str) -> ConstraintType:
    try:
        return ConstraintType(text)
    except ValueError:
        raise InvalidInput(field, f"write one of {', '.join(ConstraintType)}", rule="match") from None


def _make_pattern(kind: ConstraintType, pattern: str | None, field: str) -> str | None:
    if kind is ConstraintType.VERB:
        if pattern is not None:
            raise InvalidInput(
                field, "leave it out: a verb constraint is for any path", rule="verb-with-pattern"
            )
        return None
    if pattern is None or not 1 <= len(pattern) <= MAX_PATTERN_LENGTH:
        problem = f"write 1 to {MAX_PATTERN_LENGTH} characters, as {kind} constraints have"
        raise InvalidInput(field, problem, rule="pattern-length", most=MAX_PATTERN_LENGTH)
    if kind is ConstraintType.REGEX:
        _require_compiles(pattern, field)
    else:
        _require_canonical(pattern, field)
    return pattern


def _require_canonical(pattern: str, field: str) -> None:
    path = _with_slash(pattern)
    canonical = canonical_path(path)
    if canonical is None:
        raise InvalidInput(
            field,
            r"servers could read this path differently: leave out dot segments, //, \, ;, # (encoded too) "
            "and controls, and write spaces and characters beyond ASCII as UTF-8 percent-escapes",
            rule="path-ambiguous",
        )
    if canonical != path:
        problem = f"write {canonical}, the form in which paths are compared, without a query"
        raise InvalidInput(field, problem, rule="path-not-canonical", canonical=canonical)


def _require_compiles(pattern: str, field: str) -> None:
    if not _REGEX_TEXT.fullmatch(pattern):
        raise InvalidInput(
            field,
            "write visible ASCII only: paths have no other characters (a space is %20, é is %C3%A9)",
            rule="regex-not-ascii",
        )
    # Alone first: `a)|(?:b` would compile when wrapped, and escape the anchors.
    _compile(pattern, field)
    size = _compile(_wrapped(pattern), field).programsize
    if size > MAX_PATTERN_PROGRAM:
        raise InvalidInput(
            field,
            f"compiles to {size} instructions, and at most {MAX_PATTERN_PROGRAM} are allowed: "
            "use smaller repetitions, or a prefix",
            rule="regex-too-large",
            size=size,
            most=MAX_PATTERN_PROGRAM,
        )


def _require_small(constraints: tuple[Constraint, ...], field: str) -> None:
    size = sum(_compiled(one).programsize for one in constraints if one.type is ConstraintType.REGEX)
    if size > MAX_KEY_PROGRAM:
        raise InvalidInput(
            field,
            f"the regexes compile to {size} instructions together; at most {MAX_KEY_PROGRAM} are allowed: "
            "use fewer or simpler ones, or prefixes",
            rule="regexes-too-large",
            size=size,
            most=MAX_KEY_PROGRAM,
        )
    try:
        # Together they must fit RE2's memory too: what is refused is refused now, not at a request.
        compile_constraints(constraints)
    except re2.error:
        problem = "the regexes are too large together: use fewer or simpler ones"
        raise InvalidInput(field, problem, rule="regexes-too-much") from None


def _compile(text: str, field: str) -> "re2._Regexp[bytes]":
    try:
        return re2.compile(text.encode(), _options())
    except re2.error as error:
        problem = f"is not a regex that RE2 accepts: {_reason(error)}"
        raise InvalidInput(field, problem, rule="regex", reason=_reason(error)) from None


def _reason(error: re2.error) -> str:
    reason = error.args[0] if error.args else b""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _compiled(constraint: Constraint) -> "re2._Regexp[bytes]":
    return re2.compile(_wrapped(_text(constraint)).encode(), _options())


def _compiled_set(constraints: tuple[Constraint, ...]) -> re2.Set:
    """All regexes in one automaton, numbered from 0 in their order."""
    regexes = re2.Set.FullMatchSet(_options())
    for constraint in constraints:
        if constraint.type is ConstraintType.REGEX:
            regexes.Add(_wrapped(_text(constraint)).encode())
    regexes.Compile()
    return regexes


def _wrapped(pattern: str) -> str:
    return rf"\A/?(?:{pattern})\z"


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # type: ignore[attr-defined]  # missing in the stubs
    options.log_errors = False
    options.max_mem = _RE2_MEMORY_BYTES
    return options
