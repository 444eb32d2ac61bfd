"""A whole HTTP answer as plain data, for whichever server sends it."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from keystead.api.problem import MEDIA_TYPE, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, headers and body; `Content-Length` is the sender's to add."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


def problem_answer(problem: Problem, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """A problem as an answer."""
    own = (("Content-Type", MEDIA_TYPE), ("Cache-Control", "no-store"))
    return Answer(status=problem.status, headers=(*own, *headers), body=msgspec.json.encode(problem))
