"""What is handed on: a wheel holds all that a server needs, so that installing it takes no Node."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import free_port, running

ROOT = Path(__file__).parents[2]
DASHBOARD = "keystead/dashboard"
START = "from keystead.cli.main import run; run()"


def built(kind: str, folder: Path, *, of: Path = ROOT) -> Path:
    """A wheel or an sdist, made by the locked build backend alone: nothing is fetched."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", folder]
    subprocess.run(command, cwd=of, check=True, capture_output=True)
    [made] = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def served(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server that runs what is in the wheel, with no program on its PATH."""
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    shutil.unpack_archive(wheel, folder / "unpacked", "zip")
    environ = {
        "PATH": os.devnull,
        "PYTHONPATH": str(folder / "unpacked"),
        "KEYSTEAD_DATA": str(folder / "data"),
        "KEYSTEAD_PORT": str(port),
    }
    set_to = [f"{name}={value}" for name, value in environ.items()]
    command = ["env", "-i", *set_to, sys.executable, "-c", START, "serve"]
    with (
        running(command, port=port, log=folder / "log"),
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        yield client


def names(wheel: Path) -> set[str]:
    """The files in a wheel, but for those that say what it is."""
    with zipfile.ZipFile(wheel) as archive:
        return {it for it in archive.namelist() if ".dist-info/" not in it}


def test_it_holds_what_was_built_and_not_what_it_was_built_from(wheel: Path):
    there = names(wheel)
    made = {f"{DASHBOARD}/locales/{it}.mo" for it in ("en", "es")}
    made |= {f"{DASHBOARD}/static/{it.name}" for it in (ROOT / "src" / DASHBOARD / "static").iterdir()}
    made |= {"keystead/api/static/swagger-ui/swagger-ui-bundle.js", f"{DASHBOARD}/templates/frame.html"}
    assert made - there == set()
    assert {it for it in there if it.endswith((".po", ".pyc")) or "static_src" in it} == set()
    assert {it.partition("/")[0] for it in there} == {"keystead"}


def test_a_wheel_made_of_the_sdist_is_the_same(wheel: Path, tmp_path: Path):
    sdist = built("sdist", tmp_path / "sdist")
    shutil.unpack_archive(sdist, tmp_path / "unpacked", filter="data")
    [source] = (tmp_path / "unpacked").iterdir()
    assert names(built("wheel", tmp_path / "wheel", of=source)) == names(wheel)


def test_a_server_from_it_serves_pages_their_files_and_both_languages(served: httpx.Client):
    page = served.get("/sign-in", headers={"Accept-Language": "es"})
    assert page.status_code == 200
    assert "Contraseña" in page.text
    assert "Password" in served.get("/sign-in", headers={"Accept-Language": "en"}).text
    files = re.findall(r'(?:href|src)="\./(static/[^"]+)"', page.text)
    assert {it.rpartition(".")[2] for it in files} >= {"css", "js", "svg"}
    for file in files:
        assert served.get(f"/{file}").status_code == 200, file
    assert served.get("/api/docs").status_code == 200
