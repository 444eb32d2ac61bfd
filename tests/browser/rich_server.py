"""A site with something on every page, served: `python -m tests.browser.rich_server PORT FOLDER`.

Its clock stands still. What tests need to know of it is in `FOLDER/about.json` once it answers. With
`FOLDER/locales` pages read their texts there; with `FOLDER/names.json` people typed what that says.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from keystead.dashboard.cookies import SESSION
from keystead.services.set_up import make_set_up_link
from tests.dashboard.rich import ALL_WAYS, Names, Rich, enrich, path_of, routes
from tests.dashboard.site import Browser, Site, opened_site


async def main(port: int, folder: Path) -> None:
    """Serve until told to stop."""
    async with _site(folder, "rich", port) as rich_site, _site(folder, "bare", port) as bare:
        told = folder / "names.json"
        names = msgspec.json.decode(told.read_bytes(), type=Names) if told.exists() else Names()
        about = _about(await enrich(rich_site, names))
        about["cookies"] |= {it: _cookie(await rich_site.member(it)) for it in ("viewer", "developer")}
        about["cookies"]["nobody"] = _cookie(await rich_site.signed_in(await rich_site.user("Nobody")))
        about["links"]["set-up"] = path_of(await make_set_up_link(bare.context), bare.context)
        (folder / "about.json").write_text(json.dumps(about))
        await uvicorn.Server(uvicorn.Config(_both(rich_site, bare), port=port, log_level="warning")).serve()


@asynccontextmanager
async def _site(folder: Path, name: str, port: int) -> AsyncIterator[Site]:
    settings = {"DATA": str(folder / name), "PORT": str(port), "NODE_NAME": "local"}
    settings["SUPPORT_URL"] = "https://support.example"
    locales = folder / "locales"
    look = {"pieces": True, **({"locales": locales} if locales.exists() else {})}
    environ = {f"KEYSTEAD_{name}": value for name, value in settings.items()}
    async with opened_site(environ, look=look, **ALL_WAYS) as site:
        yield site


def _both(rich: Site, bare: Site) -> Any:
    """The rich site, but for whoever says that they come to the bare one, where nobody has an account."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asked = (b"x-site", b"bare") in scope.get("headers", ())
        await (bare if asked else rich).transport.app(scope, receive, send)

    return app


def _about(rich: Rich) -> dict[str, Any]:
    return {
        "cookies": {"owner": _cookie(rich.browser)},
        "pages": {route: rich.path(route) for route in routes(rich.site, "GET") if "/static/" not in route},
        "links": dict(rich.links),
        "keys": dict(rich.keys),
        "empty_app": rich.empty_app,
    }


def _cookie(browser: Browser) -> str:
    return str(browser.client.cookies[SESSION])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
