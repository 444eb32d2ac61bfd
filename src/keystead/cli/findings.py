"""What a check of `keystead doctor` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: a problem keeps something from working, or from being safe."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found; `fix` says what to do unless all is well."""

    name: str
    level: Level
    message: str
    fix: str | None = None


def ok(name: str, message: str) -> Finding:
    """All is well."""
    return Finding(name=name, level=Level.OK, message=message)


def warning(name: str, message: str, fix: str) -> Finding:
    """It works, and somebody should know."""
    return Finding(name=name, level=Level.WARNING, message=message, fix=fix)


def problem(name: str, message: str, fix: str) -> Finding:
    """It does not work, or is not safe."""
    return Finding(name=name, level=Level.PROBLEM, message=message, fix=fix)
