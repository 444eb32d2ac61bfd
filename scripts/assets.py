"""Build the files that the dashboard's pages load: `python -m scripts.assets`; with Node, for the fonts.

Style sheets and scripts of `static_src/` become one file each; htmx and the fonts come from `node_modules/`.
The fonts that every page loads keep only what pages write with: a first visit is to stay below 100 kB.
Every file is named by its content, `name.<hash>.ext`, so that it may be kept for ever; `manifest.json` has
the names.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src/keystead/dashboard/static_src"
TARGET = ROOT / "src/keystead/dashboard/static"
MODULES = ROOT / "node_modules"

LAYERS = ("tokens", "base", "frame", "pieces", "pages")
"""The style sheets, in the order of their cascade layers: what comes later wins."""

_ASCII = "".join(map(chr, range(0x20, 0x7F)))
_LATIN = _ASCII + "".join(map(chr, range(0xA0, 0x100)))
_MARKS = "".join(
    map(chr, (*range(0x2013, 0x203B), 0x20AC, 0x2122, *range(0x2190, 0x2194), 0x2212, 0x131, 0x152, 0x153))
)
"""Dashes, quotation marks, dots and arrows, and the letters that Western European texts have besides."""

FONTS = {
    "@fontsource-variable/inter": ("inter-latin-wght-normal", "inter-latin-ext-wght-normal"),
    "@fontsource-variable/jetbrains-mono": (
        "jetbrains-mono-latin-wght-normal",
        "jetbrains-mono-latin-ext-wght-normal",
    ),
}
SMALLER = {
    "inter-latin-wght-normal": (_LATIN + _MARKS, "400", "700"),
    # Tokens and ids are ASCII, and our style sheets switch ligatures off.
    "jetbrains-mono-latin-wght-normal": (_ASCII + "\u2013\u00b7\u2022\u2026", "400", "600", "plain"),
}
"""What is kept of fonts that every page loads, as `fonts.mjs` takes it."""

_HASH_CHARACTERS = 12
_URL = re.compile(r'url\("([^"]+)"\)')


def main() -> int:
    """Write everything anew; what was there before stays until all of it is made."""
    with tempfile.TemporaryDirectory(dir=TARGET.parent, prefix=".static-") as beside:
        folder = Path(beside, TARGET.name)
        folder.mkdir()
        _build(folder)
        shutil.rmtree(TARGET, ignore_errors=True)
        folder.rename(TARGET)
    return 0


def _build(folder: Path) -> None:
    built: dict[str, str] = {}
    for name, body in {**_copied(), "dashboard.js": _script()}.items():
        built[name] = _write(folder, name, body)
    built["dashboard.css"] = _write(folder, "dashboard.css", _style(built))
    (folder / "manifest.json").write_text(json.dumps(built, indent=2, sort_keys=True) + "\n")
    _copy_licenses(folder)


def _copied() -> Mapping[str, bytes]:
    """Files that are served as they are."""
    fonts = {
        f"{font}.woff2": _font(MODULES / package / "files" / f"{font}.woff2")
        for package, names in FONTS.items()
        for font in names
    }
    images = {path.name: path.read_bytes() for path in sorted((SOURCE / "img").iterdir())}
    return {"htmx.js": (MODULES / "htmx.org/dist/htmx.min.js").read_bytes(), **fonts, **images}


def _font(path: Path) -> bytes:
    kept = SMALLER.get(path.stem)
    if kept is None:
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, path.name)
        command = ["node", str(ROOT / "scripts/fonts.mjs"), str(path), str(made), *kept]
        subprocess.run(command, check=True)
        return made.read_bytes()


def _script() -> bytes:
    """All scripts as one module; each keeps its names to itself."""
    parts = [path.read_text("utf-8") for path in sorted((SOURCE / "js").glob("*.js"))]
    return "".join(f"{{\n{part}}}\n" for part in parts).encode()


def _style(built: Mapping[str, str]) -> bytes:
    """All style sheets as one, its addresses as built. Raises KeyError for a file that is not there."""
    parts = [(SOURCE / "css" / f"{layer}.css").read_text("utf-8") for layer in LAYERS]
    whole = f"@layer {', '.join(LAYERS)};\n{''.join(parts)}"
    return _URL.sub(lambda it: f'url("{built[it[1]]}")', whole).encode()


def _write(folder: Path, name: str, body: bytes) -> str:
    stem, _, extension = name.rpartition(".")
    built = f"{stem}.{sha256(body).hexdigest()[:_HASH_CHARACTERS]}.{extension}"
    (folder / built).write_bytes(body)
    return built


def _copy_licenses(folder: Path) -> None:
    """The licenses of what we hand on, which ask for it."""
    for package in ("htmx.org", *FONTS):
        name = package.rpartition("/")[2]
        shutil.copyfile(MODULES / package / "LICENSE", folder / f"{name}.LICENSE.txt")


if __name__ == "__main__":
    sys.exit(main())
