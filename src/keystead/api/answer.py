"""A whole HTTP answer as plain data, for whichever server sends it."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from keystead.api.problem import MEDIA_TYPE, Problem

SAFE_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
)
"""On every answer, whatever it is."""

_CONTROLS = dict.fromkeys(it for it in (*range(0x20), 0x7F) if it != ord("\t"))


class Answer(NamedTuple):
    """Status, headers and body; `Content-Length`, `Date` and `Connection` are the sender's to add.

    `lines` are the headers as HTTP/1.1 writes them: names in lower case, each line with its end.
    """

    status: int
    lines: bytes
    body: bytes = b""

    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers one by one, as ASGI wants them."""
        return [(name, value) for name, _, value in (it.partition(b": ") for it in self.lines.splitlines())]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers one by one, as text."""
        return tuple((name.decode(), value.decode("latin-1")) for name, value in self.raw_headers)


def header_lines(headers: Iterable[tuple[str, str]]) -> str:
    """Headers as HTTP/1.1 writes them. Raises ValueError for a value that would break out of its line."""
    lines = [f"{name.lower()}: {value}" for name, value in headers]
    if any(line.translate(_CONTROLS) != line for line in lines):
        raise ValueError("a header of an answer holds a control character")
    return "".join(f"{line}\r\n" for line in lines)


_SAFE_LINES = header_lines(SAFE_HEADERS)


def last_lines(request_id: str) -> str:
    """The header lines that end every answer."""
    return f"x-request-id: {request_id}\r\n{_SAFE_LINES}"


def problem_answer(problem: Problem, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """A problem as an answer."""
    lines = _problem_lines(headers) + last_lines(problem.request_id)
    return Answer(problem.status, lines.encode("latin-1"), msgspec.json.encode(problem))


class Template(NamedTuple):
    """A problem all of which is known beforehand, but for the request's id."""

    status: int
    lines: str
    body: bytes

    def filled(self, request_id: str, lines: str = "") -> Answer:
        """The answer to one request; `lines` are header lines that this one has too."""
        return Answer(
            self.status,
            f"{self.lines}{lines}{last_lines(request_id)}".encode("latin-1"),
            b'%b%b"}' % (self.body, request_id.encode()),
        )


def template(problem: Problem, headers: Iterable[tuple[str, str]] = ()) -> Template:
    """The template of a problem that has no field errors; its own `request_id` is left out."""
    body = msgspec.json.encode(msgspec.structs.replace(problem, request_id="", errors=[]))
    return Template(problem.status, _problem_lines(headers), body.removesuffix(b'"}'))


def _problem_lines(headers: Iterable[tuple[str, str]]) -> str:
    own = (("Content-Type", MEDIA_TYPE), ("Cache-Control", "no-store"))
    return header_lines((*own, *headers))
