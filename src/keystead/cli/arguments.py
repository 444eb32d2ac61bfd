"""From what is typed to what the API reads. What it means is judged there, not here."""

import json
import re
from collections.abc import Iterable, Sequence

import typer

from keystead.cli.exits import ExitCode, Failure
from keystead.domain.errors import InvalidInput
from keystead.settings.parsing import make_duration

Body = dict[str, object]
"""A request's JSON object, made field by field."""

# Wider than our own shape, so that a token cut short or with a typo is caught too, anywhere in an argument.
_TOKEN_SHAPE = re.compile(r"[a-z][a-z0-9]{1,15}_(?:pk|sk|rk)_(?:live|test)_[0-9A-Za-z]{12,}")

# Ids and scope names go into a path: nothing that could lead to another route.
_ID = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.:*-]{0,199}")
_METHODS = re.compile(r"[A-Z][A-Z,-]*")


def refuse_tokens(arguments: Iterable[str]) -> None:
    """Raise Failure if any argument holds what looks like one of our tokens; never says which."""
    if any(_TOKEN_SHAPE.search(it) for it in arguments):
        raise Failure(
            ExitCode.INVALID,
            "an argument holds a token; the shell's history and everyone on this machine can read arguments. "
            "If it is a secret one, rotate its key now. Give tokens on standard input or by --token-file, "
            "and your own in KEYSTEAD_TOKEN or KEYSTEAD_TOKEN_FILE.",
        )


def identifier(text: str) -> str:
    """An id, or a scope's name, as part of a path."""
    if not _ID.fullmatch(text):
        raise typer.BadParameter("write an id as `list` shows it")
    return text


def duration_s(text: str) -> int:
    """`90s`, `5m`, `12h`, `30d` or seconds, as whole seconds."""
    try:
        return int(make_duration(text, field="duration").total_seconds())
    except InvalidInput as error:
        raise typer.BadParameter(error.problem) from None


def constraints(texts: Sequence[str] | None) -> list[Body] | None:
    """Constraints from `[METHODS] TYPE [PATTERN]`, such as `GET,POST prefix jobs/`; None for none."""
    return None if texts is None else [_constraint(text) for text in texts]


def labels(texts: Sequence[str] | None) -> dict[str, str] | None:
    """Labels from `NAME=VALUE`, where a value may hold `=`; None when none were given."""
    if texts is None:
        return None
    pairs = [text.partition("=") for text in texts]
    if not all(name and separator for name, separator, _ in pairs):
        raise typer.BadParameter("write NAME=VALUE, such as team=ops", param_hint="--label")
    return {name: value for name, _, value in pairs}


def label_filters(texts: Sequence[str] | None) -> dict[str, str]:
    """Labels as the API's filters take them."""
    return {f"labels.{name}": value for name, value in (labels(texts) or {}).items()}


def page(limit: int | None, cursor: str | None, **filters: str | None) -> Body:
    """The query of a list."""
    return given(limit=limit, cursor=cursor, **filters)


def json_object(text: str) -> Body:
    """A JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter("""write a JSON object, such as '{"plan": "pro"}'""")
    return found


def given(**fields: object) -> Body:
    """The fields that were given: None stays out."""
    return {name: value for name, value in fields.items() if value is not None}


def replaced(field: str, value: object, *, cleared: bool, empty: object, option: str) -> Body:
    """A field replaced by `value`, or by `empty` when `option` asks for that; neither: it stays out."""
    if not cleared:
        return {} if value is None else {field: value}
    if value is not None:
        raise Failure(ExitCode.INVALID, f"{option} clears what another option sets: give one of them")
    return {field: empty}


def exactly_one(**options: str | None) -> None:
    """Raise Failure unless one of the options was given, and no other."""
    if sum(it is not None for it in options.values()) != 1:
        names = [f"--{name}" for name in options]
        raise Failure(ExitCode.INVALID, f"give one of {', '.join(names[:-1])} and {names[-1]}")


def _constraint(text: str) -> Body:
    words = text.split(maxsplit=1)
    methods: list[str] = []
    # Types are written small, methods in capitals: that is what tells them apart.
    if words and _METHODS.fullmatch(words[0]):
        methods = [method for method in words[0].split(",") if method]
        words = words[1].split(maxsplit=1) if len(words) > 1 else []
    if not words:
        example = "'GET,POST prefix jobs/' or 'GET verb'"
        raise typer.BadParameter(f"write [METHODS] TYPE [PATTERN], such as {example}", param_hint="--allow")
    pattern = words[1].strip() if len(words) > 1 else None
    return {"type": words[0], "methods": methods, **given(pattern=pattern)}
