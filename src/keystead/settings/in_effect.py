"""Which settings are in effect, and where each was given; never a value that may be secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

from keystead.domain.errors import InvalidInput
from keystead.settings import SETTINGS, Setting, Settings, shown

_SECRET = frozenset(it.name for it in fields(Settings) if not it.repr)


class Source(StrEnum):
    """Where a setting was given."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"
    OPTION = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class InEffect:
    """A setting in effect. `value` is None where none is set, and for what may be secret."""

    name: str
    group: str
    meaning: str
    source: Source
    secret: bool
    value: str | None


def in_effect(settings: Settings, environ: Mapping[str, str]) -> Sequence[InEffect]:
    """Every setting, in the order in which they are documented; `environ` is what they were read from."""
    return [_in_effect(setting, getattr(settings, setting.field), environ) for setting in SETTINGS]


def _in_effect(setting: Setting, value: object, environ: Mapping[str, str]) -> InEffect:
    secret = setting.field in _SECRET
    return InEffect(
        name=setting.name,
        group=setting.about.group,
        meaning=setting.about.meaning,
        source=_source(setting, value, environ),
        secret=secret,
        value=None if secret or value is None else shown(value),
    )


def _source(setting: Setting, value: object, environ: Mapping[str, str]) -> Source:
    text = environ.get(setting.name)
    # An option of the command line wins, and is told by differing from what was overruled.
    if text and _reads_as(setting, text, value):
        return Source.ENVIRONMENT
    if environ.get(f"{setting.name}_FILE") and not text:
        return Source.FILE
    return Source.DEFAULT if value == setting.default else Source.OPTION


def _reads_as(setting: Setting, text: str, value: object) -> bool:
    try:
        return setting.about.parse(text, field=setting.name) == value
    except InvalidInput:
        return False
