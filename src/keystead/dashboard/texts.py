"""Texts by message id, one `Texts` a language, from the catalogs that `make setup` compiles.

A text is a format string: `{name}` is filled in from the values given. Whole numbers and lengths of time are
written as the language writes them. A missing id is a bug of ours and raises; a test keeps the catalogs
complete.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from gettext import GNUTranslations
from math import inf
from pathlib import Path
from typing import Literal

from babel import Locale
from babel.dates import format_timedelta
from babel.numbers import format_decimal
from markupsafe import Markup

LOCALES = Path(__file__).parent / "locales"
DEFAULT_LANGUAGE = "en"

_FORMATS = {"en": "en_GB"}
"""Whose dates a language writes, where it is not its namesake: the day before the month, 24 hours."""

_UNITS: Sequence[tuple[Literal["day", "hour", "minute", "second"], timedelta]] = (
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
    ("second", timedelta.resolution),
)

_MAX_WISHES = 16
"""Languages read from an `Accept-Language` header; whoever lists more has listed enough."""


class MissingText(LookupError):
    """No catalog entry has this id in this language."""


class Texts:
    """The texts of one language, and how it is written: `direction` is `ltr` or `rtl`."""

    def __init__(self, language: str, catalog: GNUTranslations) -> None:
        self.language = language
        self.locale = Locale.parse(_FORMATS.get(language, language), sep="_" if language in _FORMATS else "-")
        self.direction = self.locale.text_direction
        self._catalog = catalog

    def text(self, message_id: str, /, **values: object) -> str:
        """The text with this id."""
        return self._found(message_id).format(**self._shown(values))

    def plural(self, message_id: str, count: int, /, **values: object) -> str:
        """The text with this id, in the form that `count` asks for; `{count}` in it is that number."""
        form = self._catalog.ngettext(message_id, message_id, count)
        if form == message_id:
            raise MissingText(message_id)
        return form.format(**self._shown({"count": count, **values}))

    def markup(self, message_id: str, /, **values: object) -> Markup:
        """The text with this id where it contains markup of its own; the values are escaped."""
        return Markup(self._found(message_id)).format(**self._shown(values))  # noqa: S704 - catalogs are ours

    def number(self, value: float) -> str:
        """A number as the language writes it."""
        return format_decimal(value, locale=self.locale)

    def length(self, value: timedelta) -> str:
        """A length of time as the language writes it, in the largest unit that it is whole in: "90 days"."""
        unit = next(name for name, one in _UNITS if not value % one)
        return format_timedelta(value, granularity=unit, threshold=inf, locale=self.locale)

    def has(self, message_id: str) -> bool:
        """Whether there is such a text."""
        return self._catalog.gettext(message_id) != message_id

    def _found(self, message_id: str) -> str:
        text = self._catalog.gettext(message_id)
        if text == message_id:
            raise MissingText(message_id)
        return text

    def _shown(self, values: Mapping[str, object]) -> dict[str, object]:
        return {name: self._written(it) for name, it in values.items()}

    def _written(self, value: object) -> object:
        match value:
            case bool():
                return value
            case int():
                return self.number(value)
            case timedelta():
                return self.length(value)
            case _:
                return value


def load_texts(folder: Path = LOCALES) -> Mapping[str, Texts]:
    """Every compiled catalog in `folder`, by language. Raises FileNotFoundError when there is none."""
    found = {path.stem: _load(path) for path in sorted(folder.glob("*.mo"))}
    if DEFAULT_LANGUAGE not in found:
        raise FileNotFoundError(f"No compiled texts in {folder}: run `make setup`.")
    return found


def choose_language(chosen: str | None, accept: str, known: Collection[str]) -> str:
    """The language of a page: the one chosen, else the best the browser asks for, else English."""
    wishes = [chosen] if chosen else []
    for wish in (*wishes, *_wishes(accept)):
        for name in (wish, wish.partition("-")[0]):
            if name in known:
                return name
    return DEFAULT_LANGUAGE


def _load(path: Path) -> Texts:
    with path.open("rb") as file:
        return Texts(path.stem, GNUTranslations(file))


def _wishes(accept: str) -> Iterator[str]:
    """The languages of an `Accept-Language` header, the dearest first (RFC 9110, 12.5.4)."""
    weighed = [_weighed(part) for part in accept.split(",")[:_MAX_WISHES]]
    for name, weight in sorted(weighed, key=lambda it: -it[1]):
        if weight > 0:
            yield name


def _weighed(part: str) -> tuple[str, float]:
    name, _, rest = part.partition(";")
    try:
        weight = float(rest.partition("=")[2]) if rest.strip() else 1.0
    except ValueError:
        weight = 0.0
    primary, mark, others = name.strip().partition("-")
    return f"{primary.lower()}{mark}{others}", weight
