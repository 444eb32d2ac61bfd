"""The pages that we publish, as readers see them: what to type, what is printed, what links where."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = "sh"
OUTPUTS = frozenset({"json", "text"})
"""A block of these directly below one of commands is what that prints."""

ILLUSTRATIONS = frozenset({"conf", "ini", "nginx"})
"""What goes into files of other programs."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block; `line` is where its fence stands, from 1."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Commands to type, and what they print, if the page says."""

    line: int
    commands: str
    printed: Block | None


@dataclass(frozen=True)
class Page:
    """A page of Markdown."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def prose(self) -> str:
        """The page without its blocks and comments."""
        return _COMMENT.sub("", _FENCE.sub("", self.text))

    @cached_property
    def blocks(self) -> Sequence[Block]:
        return [
            Block(line=self.text.count("\n", 0, it.start()) + 1, kind=it[1], text=it[2])
            for it in _FENCE.finditer(self.text)
        ]

    @cached_property
    def steps(self) -> Sequence[Step]:
        return list(self._steps())

    @property
    def links(self) -> Sequence[str]:
        return _LINK.findall(self.prose)

    @property
    def headings(self) -> Sequence[str]:
        return [it[2] for it in _HEADING.finditer(self.prose)]

    @property
    def anchors(self) -> frozenset[str]:
        """What a link may name after the `#`, as GitHub makes it from headings."""
        return frozenset(_anchor(it) for it in self.headings)

    def _steps(self) -> Iterator[Step]:
        fences = list(_FENCE.finditer(self.text))
        for i, block in enumerate(self.blocks):
            if block.kind != COMMANDS:
                continue
            after = self.blocks[i + 1] if i + 1 < len(self.blocks) else None
            directly = after is not None and not self.text[fences[i].end() : fences[i + 1].start()].strip()
            printed = after if directly and after is not None and after.kind in OUTPUTS else None
            yield Step(line=block.line, commands=block.text, printed=printed)


def pages() -> Sequence[Page]:
    """README and docs, and what stands beside them for people."""
    beside = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    return [Page(path) for path in (*beside, *sorted(ROOT.glob("docs/**/*.md")))]


def _anchor(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower())
    return kept.strip().replace(" ", "-")
