"""Lines that show how a token is sent, ready to be copied; the token itself stands in the environment."""

import json
import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from keystead.domain.constraints import Constraint, ConstraintType

VARIABLE = "KEYSTEAD_TOKEN"
"""The environment variable that holds a token."""

EXAMPLE = "https://api.example.com"
"""Stands for the provider's API where nobody said where it is."""

_OF_ONE_PATH = {ConstraintType.EXACT, ConstraintType.PREFIX}
_PLAIN = re.compile(r"[A-Za-z0-9._~%:/@+,=?&*()\[\]-]+")


class Snippet(NamedTuple):
    """A piece of code; `label` is a name of its language, the same in every language of people."""

    id: str
    label: str
    text: str


def snippets(
    constraints: Sequence[Constraint], *, base_url: str = EXAMPLE, path: str = "/"
) -> Sequence[Snippet]:
    """A request that the constraints let through, in several languages; and what keeps a token out of git.

    `path` is asked for where no constraint names one.
    """
    rule = next((it for it in constraints if it.type in _OF_ONE_PATH), None) or next(iter(constraints), None)
    if rule is not None and rule.type in _OF_ONE_PATH:
        path = f"/{(rule.pattern or '').removeprefix('/')}"
    method, url = _method(rule), _below(base_url, path)
    return (
        Snippet("curl", "curl", _curl(method, url)),
        Snippet("python", "Python", _python(method, json.dumps(url))),
        Snippet("javascript", "JavaScript", _javascript(method, json.dumps(url))),
        Snippet("gitignore", ".gitignore", ".env\n*.env"),
    )


def _method(rule: Constraint | None) -> str:
    methods = () if rule is None else rule.methods
    return "GET" if not methods or "GET" in methods else methods[0] or "GET"


def _below(base_url: str, path: str) -> str:
    """The address of a path, which may begin with the base's own: constraints are judged on the whole."""
    base = urlsplit(base_url.rstrip("/"))
    within = base.path and (path == base.path or path.startswith(f"{base.path}/"))
    return f"{base.scheme}://{base.netloc}{'' if within else base.path}{path}"


def _curl(method: str, url: str) -> str:
    verb = "" if method == "GET" else f" -X {method}"
    return f'curl{verb} {_for_shell(url)} \\\n  -H "Authorization: Bearer ${VARIABLE}"'


def _for_shell(url: str) -> str:
    # What somebody wrote as a pattern must not run as a command of whoever copies the line.
    return f'"{url}"' if _PLAIN.fullmatch(url) else shlex.quote(url)


def _python(method: str, url: str) -> str:
    return (
        "import os, httpx\n\n"
        f'httpx.request(\n    "{method}",\n    {url},\n'
        f'    headers={{"Authorization": f"Bearer {{os.environ[\'{VARIABLE}\']}}"}},\n)'
    )


def _javascript(method: str, url: str) -> str:
    return (
        f'await fetch({url}, {{\n  method: "{method}",\n'
        f"  headers: {{ Authorization: `Bearer ${{process.env.{VARIABLE}}}` }},\n}});"
    )
