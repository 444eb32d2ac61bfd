"""Lines that show how a token is sent, ready to be copied; the token itself stands in the environment."""

from collections.abc import Sequence
from typing import NamedTuple

from keystead.domain.constraints import Constraint, ConstraintType

VARIABLE = "KEYSTEAD_TOKEN"
"""The environment variable that holds a token."""

EXAMPLE = "https://api.example.com"
"""Stands for the provider's API where nobody said where it is."""


class Snippet(NamedTuple):
    """A piece of code; `label` is a name of its language, the same in every language of people."""

    id: str
    label: str
    text: str


def snippets(constraints: Sequence[Constraint], *, base_url: str = EXAMPLE) -> Sequence[Snippet]:
    """A request that the constraints let through, in several languages; and what keeps a token out of git."""
    url = f"{base_url.rstrip('/')}{_path(constraints)}"
    method = _method(constraints)
    return (
        Snippet("curl", "curl", _curl(method, url)),
        Snippet("python", "Python", _python(method, url)),
        Snippet("javascript", "JavaScript", _javascript(method, url)),
        Snippet("gitignore", ".gitignore", ".env\n*.env"),
    )


def _path(constraints: Sequence[Constraint]) -> str:
    for constraint in constraints:
        if constraint.type in {ConstraintType.EXACT, ConstraintType.PREFIX} and constraint.pattern:
            return f"/{constraint.pattern.removeprefix('/')}"
    return "/"


def _method(constraints: Sequence[Constraint]) -> str:
    methods = constraints[0].methods if constraints else ()
    return "GET" if not methods or "GET" in methods else methods[0]


def _curl(method: str, url: str) -> str:
    verb = "" if method == "GET" else f" -X {method}"
    return f'curl{verb} "{url}" \\\n  -H "Authorization: Bearer ${VARIABLE}"'


def _python(method: str, url: str) -> str:
    return (
        "import os, httpx\n\n"
        f'httpx.request(\n    "{method}",\n    "{url}",\n'
        f'    headers={{"Authorization": f"Bearer {{os.environ[\'{VARIABLE}\']}}"}},\n)'
    )


def _javascript(method: str, url: str) -> str:
    return (
        f'await fetch("{url}", {{\n  method: "{method}",\n'
        f"  headers: {{ Authorization: `Bearer ${{process.env.{VARIABLE}}}` }},\n}});"
    )
