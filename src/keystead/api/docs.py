"""The page that shows the API, from Swagger UI's own files under a strict policy, and the document.

Every address is relative, so that the page works behind a base path too.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from string import Template
from typing import Annotated, Any

from litestar import MediaType, Request, Response, Router, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, QueryParameter
from litestar.response import File, Redirect

_STATIC = Path(__file__).parent / "static"
_SWAGGER = _STATIC / "swagger-ui"
_FILES = {
    "docs.css": (_STATIC, "text/css"),
    "docs.js": (_STATIC, "text/javascript"),
    "favicon-32x32.png": (_SWAGGER, "image/png"),
    "swagger-ui.css": (_SWAGGER, "text/css"),
    "swagger-ui-bundle.js": (_SWAGGER, "text/javascript"),
}
_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_ALWAYS_ASK = {"Cache-Control": "no-cache"}
_NOT_BUILT = (
    "The files of this page are not here. Run `make setup`, which fetches them, then load it again.\n"
    "The document itself is at openapi.json, beside this page.\n"
)


@get("/api/docs", include_in_schema=False, sync_to_thread=False)
def get_docs(request: Request[Any, Any, Any]) -> Response[str] | Redirect:
    """The page; 503 where Swagger UI's files were not fetched."""
    if request.scope.get("raw_path", b"").endswith(b"/"):
        return Redirect("../docs")  # its relative addresses would lead elsewhere
    paths = [folder / name for name, (folder, _) in _FILES.items()]
    if not all(path.is_file() for path in paths):
        return Response(_NOT_BUILT, status_code=503, media_type=MediaType.TEXT, headers=_POLICY)
    version = sha256("".join(f"{it.stat().st_mtime_ns} {it.stat().st_size}," for it in paths).encode())
    page = _page().substitute(version=version.hexdigest()[:12])
    return Response(page, media_type=MediaType.HTML, headers=_POLICY)


@get("/api/docs/{name:str}", include_in_schema=False, sync_to_thread=False)
def get_docs_file(
    name: FromPath[str], version: Annotated[str | None, QueryParameter(name="v")] = None
) -> File:
    """A file of the page; one asked for by its version never changes."""
    folder, media_type = _FILES.get(name, (None, ""))
    if folder is None or not (folder / name).is_file():
        raise NotFoundException
    return File(
        folder / name,
        filename=name,
        media_type=media_type,
        content_disposition_type="inline",
        headers=_ALWAYS_ASK if version is None else _FOR_EVER,
    )


def document_routes(document: Callable[[], bytes]) -> Router:
    """The routes that need no key: the document, and the page that shows it."""

    @get("/api/openapi.json", include_in_schema=False, sync_to_thread=False)
    def get_document(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = document()
        tag = f'"{sha256(body).hexdigest()[:16]}"'
        headers = {**_ALWAYS_ASK, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(b"", status_code=304, headers=headers)
        return Response(body, media_type=MediaType.JSON, headers=headers)

    return Router(path="/", route_handlers=[get_document, get_docs, get_docs_file])


@cache
def _page() -> Template:
    return Template((_STATIC / "docs.html").read_text())
