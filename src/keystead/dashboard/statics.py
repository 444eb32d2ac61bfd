"""The browser's files, as `scripts/assets.py` built them: named by their content, so kept for ever."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

STATIC = Path(__file__).parent / "static"
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    media_type: str
    body: bytes
    zipped: bytes | None


class Statics:
    """All files, in memory: they are few and small."""

    def __init__(self, folder: Path = STATIC) -> None:
        """Raises FileNotFoundError where they were not built."""
        manifest = folder / "manifest.json"
        if not manifest.is_file():
            raise FileNotFoundError(f"{manifest} is not there: run `make setup`.")
        self._names: Mapping[str, str] = msgspec.json.decode(manifest.read_bytes(), type=dict[str, str])
        self._files = {name: _read(folder / name) for name in self._names.values()}

    def path(self, name: str) -> str:
        """The path of a file by the name that it has in `static_src`, such as `dashboard.css`."""
        return f"/static/{self._names[name]}"

    def find(self, built_name: str) -> _File | None:
        """A file by the name that it was built under."""
        return self._files.get(built_name)


@get("/static/{name:str}", sync_to_thread=False)
def get_static(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """A file, packed once and for all; of pages see `packing`."""
    statics: Statics = request.app.state.renderer.statics
    file = statics.find(name)
    if file is None:
        raise NotFoundException
    if file.zipped is None:
        return Response(file.body, media_type=file.media_type, headers=_FOR_EVER)
    headers = {**_FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(file.body, media_type=file.media_type, headers=headers)
    return Response(file.zipped, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})


def _read(path: Path) -> _File:
    body = path.read_bytes()
    # Fonts are compressed already.
    zipped = None if path.suffix == ".woff2" else gzip.compress(body, mtime=0)
    return _File(media_type=_TYPES[path.suffix], body=body, zipped=zipped)
