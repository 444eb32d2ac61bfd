"""Scopes: named permissions, `resource:action`, with `*` for anything in a part."""

import re
from collections.abc import Collection, Iterable, Sequence

from keystead.domain.errors import InvalidInput

MAX_SCOPES = 64

ROOT_SCOPES = frozenset(
    {
        "*",
        "apps:*",
        "audit:read",
        "keys:*",
        "metrics:read",
        "nodes:read",
        "organizations:*",
        "personal_keys:*",
        "root_keys:*",
        "scopes:*",
        "usage:read",
        "users:*",
        "verify",
    },
)
"""All that a root key may hold; `*` is everything there is to do."""

_SCOPE = re.compile(r"(?:[a-z0-9_.-]{1,64}|\*):(?:[a-z0-9_.-]{1,64}|\*)")


def make_scope(text: str, *, field: str) -> str:
    """A scope: two parts joined by a colon, each 1 to 64 of `[a-z0-9_.-]`, or `*`. Raises InvalidInput."""
    if not is_scope(text):
        raise InvalidInput(
            field,
            "write resource:action, such as jobs:read or jobs:*; a part is 1 to 64 of a-z 0-9 _ . - or *",
            rule="scope",
        )
    return text


def is_scope(text: str) -> bool:
    """Whether `text` is written as a scope; says nothing about whether the catalogue has it."""
    return _SCOPE.fullmatch(text) is not None


def make_scopes(items: Sequence[str], *, field: str) -> tuple[str, ...]:
    """At most 64 scopes, sorted, each once. Raises InvalidInput."""
    _require_few(items, field)
    return tuple(sorted({make_scope(item, field=f"{field}[{i}]") for i, item in enumerate(items)}))


def make_root_scopes(items: Sequence[str], *, field: str) -> tuple[str, ...]:
    """Scopes of a root key, all of `ROOT_SCOPES`, sorted, each once. Raises InvalidInput."""
    _require_few(items, field)
    for i, item in enumerate(items):
        if item not in ROOT_SCOPES:
            problem = f"choose from {', '.join(sorted(ROOT_SCOPES))}"
            raise InvalidInput(f"{field}[{i}]", problem, rule="root-scope")
    return tuple(sorted(set(items)))


def scope_covers(held: str, wanted: str) -> bool:
    """Whether whoever holds the one scope may do what the other names.

    Part by part: `*` held covers anything in its part, `*` wanted too. A bare `*`, which only root keys hold,
    covers all; nothing else covers it.
    """
    if held in {"*", wanted}:
        return True
    held_parts, wanted_parts = held.split(":"), wanted.split(":")
    return len(held_parts) == len(wanted_parts) and all(
        h in {"*", w} for h, w in zip(held_parts, wanted_parts, strict=True)
    )


def scopes_cover(held: Collection[str], wanted: Iterable[str]) -> bool:
    """Whether each wanted scope is covered by one held; an empty `held` covers only an empty `wanted`."""
    return all(scope in held or any(scope_covers(one, scope) for one in held) for scope in wanted)


def _require_few(items: Sequence[str], field: str) -> None:
    if len(items) > MAX_SCOPES:
        problem = f"give at most {MAX_SCOPES}; there are {len(items)}"
        raise InvalidInput(field, problem, rule="too-many", most=MAX_SCOPES, given=len(items))
