"""Exit codes: how a script knows what became of a command; and the failures that lead to them."""

from collections.abc import Mapping
from enum import IntEnum

from keystead.domain.errors import (
    Conflict,
    Denied,
    InvalidInput,
    KeysteadError,
    Misconfigured,
    NotFound,
    Stale,
    Unavailable,
)

Json = Mapping[str, object]
"""A JSON object of the API, or a part of one."""


class ExitCode(IntEnum):
    """Part of the interface: a code once used keeps its meaning."""

    OK = 0
    REFUSED = 1
    INVALID = 2
    DENIED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    LAGGING = 6
    DIFFERS = 7
    FAILED = 70
    UNAVAILABLE = 75
    MISCONFIGURED = 78


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.REFUSED: "`key verify` refused the token",
    ExitCode.INVALID: "invalid input or usage",
    ExitCode.DENIED: "not authenticated, or not allowed",
    ExitCode.NOT_FOUND: "not found, or not yours to know of",
    ExitCode.CONFLICT: "conflict: the state of things does not allow it now",
    ExitCode.LAGGING: "done, but when `--wait` ended not every node had applied it",
    ExitCode.DIFFERS: "`replica verify` found that the replica differs from the database",
    ExitCode.FAILED: "anything else",
    ExitCode.UNAVAILABLE: "unavailable: trying again later is right",
    ExitCode.MISCONFIGURED: "misconfigured: a setting is missing or wrong",
}

_BY_STATUS = {
    400: ExitCode.INVALID,
    413: ExitCode.INVALID,
    422: ExitCode.INVALID,
    401: ExitCode.DENIED,
    403: ExitCode.DENIED,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    429: ExitCode.UNAVAILABLE,
    # 502 and 504 are a proxy's words for what would be a failed connection without it.
    502: ExitCode.UNAVAILABLE,
    503: ExitCode.UNAVAILABLE,
    504: ExitCode.UNAVAILABLE,
}

_BY_ERROR: dict[type[KeysteadError], ExitCode] = {
    InvalidInput: ExitCode.INVALID,
    Denied: ExitCode.DENIED,
    NotFound: ExitCode.NOT_FOUND,
    Conflict: ExitCode.CONFLICT,
    Stale: ExitCode.CONFLICT,
    Unavailable: ExitCode.UNAVAILABLE,
    Misconfigured: ExitCode.MISCONFIGURED,
}

_SLUGS = {
    ExitCode.INVALID: "invalid-input",
    ExitCode.DENIED: "forbidden",
    ExitCode.UNAVAILABLE: "unavailable",
    ExitCode.MISCONFIGURED: "misconfigured",
}


class Failure(Exception):
    """A command could not do its work; `detail` says why, to people.

    `problem` is what `--json` prints: the API's own problem object, or one made here in the same shape.
    """

    def __init__(self, code: ExitCode, detail: str, *, problem: Json | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.problem = problem or {
            "type": _SLUGS.get(code, "failed"),
            "title": MEANINGS[code],
            "detail": detail,
        }


def code_of_status(status: int) -> ExitCode:
    """The exit code for an HTTP status that is no success."""
    return _BY_STATUS.get(status, ExitCode.FAILED)


def failure_of(error: KeysteadError) -> Failure:
    """What was raised before there was an API to answer, such as a wrong setting."""
    code = _BY_ERROR.get(type(error), ExitCode.FAILED)
    problem = {"type": error.code, "title": MEANINGS[code], "detail": str(error)}
    return Failure(code, str(error), problem=problem)


def exit_codes_help() -> str:
    """The table of exit codes, for the end of `--help`."""
    # \b keeps the lines as they are; without it they would be flowed into one paragraph.
    return "\n".join(
        ["\b", "Exit codes:", *(f"  {code.value:>2}  {text}" for code, text in MEANINGS.items())]
    )
