"""The texts of the catalogs for what is not a page: letters."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from keystead.dashboard.texts import DEFAULT_LANGUAGE, LOCALES, Texts, choose_language, load_texts


class CatalogWords:
    """Implements `ports.people.Words`; the catalogs are read when something is first said."""

    def __init__(self, folder: Path = LOCALES) -> None:
        self._folder = folder

    def say(self, language: str | None, message_id: str, /, **values: str) -> str:
        """See `ports.people.Words`."""
        chosen = choose_language(language, DEFAULT_LANGUAGE, self._languages)
        return self._languages[chosen].text(message_id, **values)

    @cached_property
    def _languages(self) -> Mapping[str, Texts]:
        return load_texts(self._folder)
