"""Pages as a browser without scripts sees them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import httpx

_TEXT_FIELDS = {"text", "email", "password", "search", "hidden", "date", "number", "url"}


@dataclass
class Form:
    """A form: what it would send as it stands, and where."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """An answer, read."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer
        self.status = answer.status_code
        self.html = answer.text
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.text = ""
        self._link: str | None = None
        self._label = ""
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: str | None = None
        self._hidden = 0
        self.feed(answer.text)
        self.text = " ".join(self.text.split())

    @property
    def location(self) -> str:
        """Where a redirect leads: the path and query that a browser would ask for."""
        target = self.answer.url.join(self.answer.headers["location"])
        return target.raw_path.decode()

    def form(self, action: str) -> Form:
        """The one form that is sent to an address ending so."""
        [found] = [it for it in self.forms if it.action.endswith(action)]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        match tag:
            case "script" | "style" | "template" | "title":
                self._hidden += 1
            case "a":
                self._link, self._label = given.get("href", ""), ""
            case "form":
                self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
            case "input" | "button" | "textarea" | "select" if self.forms and given.get("name"):
                self._control(tag, given)
            case "option" if self._select is not None:
                self._select[1].append((given.get("value", ""), "selected" in given))

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "script" | "style" | "template" | "title":
                self._hidden -= 1
            case "a" if self._link is not None:
                self.links[" ".join(self._label.split())] = self._link
                self._link = None
            case "textarea" if self._area is not None:
                self._area = None
            case "select" if self._select is not None:
                name, options = self._select
                chosen = [value for value, selected in options if selected] or [options[0][0]]
                self.forms[-1].fields.append((name, chosen[0]))
                self._select = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            name, value = self.forms[-1].fields.pop()
            # A browser drops the line break that a text area begins with.
            self.forms[-1].fields.append((name, (value + data).removeprefix("\n")))
        elif not self._hidden:
            self.text += data
            self._label += data

    def _control(self, tag: str, given: dict[str, str]) -> None:
        form, name, kind = self.forms[-1], given["name"], given.get("type", "text")
        form.names.add(name)
        if tag == "select":
            self._select = (name, [])
        elif tag == "textarea":
            self._area = name
            form.fields.append((name, ""))
        elif tag == "button":
            form.buttons.append((name, given.get("value", "")))
        elif kind in _TEXT_FIELDS or (kind in {"checkbox", "radio"} and "checked" in given):
            form.fields.append((name, given.get("value", "on" if kind == "checkbox" else "")))
