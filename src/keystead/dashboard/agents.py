"""What a browser says it is, in two words that people know their devices by."""

from typing import NamedTuple

_BROWSERS = (
    # Most claim to be others too: the rarer claim comes first.
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


class Device(NamedTuple):
    """A browser and the system it runs on, each None where it does not say one that we know."""

    browser: str | None
    system: str | None


def device_of(agent: str) -> Device:
    """The device that a `User-Agent` header tells of; it may be made up."""
    return Device(_first(agent, _BROWSERS), _first(agent, _SYSTEMS))


def _first(agent: str, marks: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for mark, name in marks if mark in agent), None)
