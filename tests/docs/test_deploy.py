"""The page about deploying: its unit, its settings, its nginx, and its commands, as they stand there."""

import configparser
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from keystead.settings import load_settings
from keystead.settings.risks import require_startable, risky
from tests.browser.certificates import make_certificate
from tests.docs.pages import ROOT, Page
from tests.docs.session import follow
from tests.scenario.servers import run_keystead
from tests.servers import free_port, run_nginx

PAGE = Page(ROOT / "docs/deploy.md")
PROGRAM = "/opt/keystead/.venv/bin/keystead"
MOST_EXPOSED = 20
"""Tenths of what `systemd-analyze security` counts: below two is what it calls OK, and good."""


def block(kind: str, beginning: str) -> str:
    """The one block of a kind that begins so."""
    [found] = [it.text for it in PAGE.blocks if it.kind == kind and it.text.startswith(beginning)]
    return found


UNIT, SETTINGS_FILE = block("ini", "[Unit]"), block("ini", "KEYSTEAD_")
BELOW_A_PATH, ON_ITS_OWN = (it.text for it in PAGE.blocks if it.kind == "nginx")


def environ() -> Mapping[str, str]:
    """The settings of the page."""
    return dict(line.split("=", 1) for line in SETTINGS_FILE.splitlines())


def test_the_server_starts_with_the_settings_and_has_nothing_to_warn_of():
    settings = load_settings(environ())
    require_startable(settings)
    assert risky(settings) == []


def test_the_unit_starts_a_command_that_there_is_and_keeps_its_files_where_the_settings_say():
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    unit.read_string(UNIT)
    service = unit["Service"]
    program, *arguments = service["ExecStart"].split()
    assert program == PROGRAM
    ours = Path(sys.executable).with_name("keystead")
    assert subprocess.run([ours, *arguments, "--help"], check=False, capture_output=True).returncode == 0
    assert environ()["KEYSTEAD_DATA"] == f"/var/lib/{service['StateDirectory']}"
    assert f":/run/{service['RuntimeDirectory']}/" in environ()["KEYSTEAD_INTERNAL_LISTEN"]
    assert service["EnvironmentFile"] in PAGE.prose
    assert f"useradd --system --home-dir /var/lib/keystead --shell /usr/sbin/nologin {service['User']}" in (
        PAGE.text
    )


def test_systemd_takes_the_unit_and_finds_it_closed(tmp_path: Path):
    """Where there is a systemd to ask; elsewhere at least that every line is a setting of a section."""
    assert re.fullmatch(r"(\[\w+\]\n|# .+\n|\w+=.*\n|\n)+", UNIT)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    unit = tmp_path / "keystead.service"
    unit.write_text(UNIT.replace(PROGRAM, shutil.which("true") or "/bin/true"))
    for asked in (["verify"], ["security", "--offline=yes", f"--threshold={MOST_EXPOSED}"]):
        done = subprocess.run([analyze, *asked, unit], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "keystead.service:" not in done.stderr  # what it does not know, it only mentions


def test_on_a_host_of_its_own_nginx_serves_the_pages_over_tls(tmp_path: Path):
    port, certificate = free_port(), make_certificate(tmp_path)
    settings = {"PUBLIC_URL": f"https://localhost:{port}"}
    with run_keystead(tmp_path, **settings) as keystead:
        config = certificate.installed(ON_ITS_OWN, "keys.example.com").replace("8420", str(keystead.port))
        config = config.replace("listen 443 ", f"listen {port} ").replace("/var/log/nginx", str(tmp_path))
        with (
            run_nginx(config, port=port),
            httpx.Client(base_url=settings["PUBLIC_URL"], verify=certificate.context()) as client,
        ):
            answer = client.get("/profile?a=b")
            assert answer.headers["Location"] == "./sign-in?next=%2Fprofile%3Fa%3Db"
            page = client.get("/sign-in")
            assert page.headers["Strict-Transport-Security"]
            assert "Secure" in page.headers["Set-Cookie"]
            assert "Path=/;" in f"{page.headers['Set-Cookie']};"
            slashed = keystead.made("PUT", "organizations/external/a%2Fb", {"name": "Slashed"})
            bearer = {"Authorization": f"Bearer {keystead.root}"}
            found = client.put("/api/v1/organizations/external/a%2Fb", json={"name": "S"}, headers=bearer)
            assert found.json()["id"] == slashed["id"]
    assert '"GET /profile" 303' in (tmp_path / "keystead.log").read_text()


@pytest.mark.timeout(180)
def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path):
    """With systemd, user accounts and nginx played by scripts: a test changes nothing of the machine."""
    files = {it: tmp_path / it.strip("/").replace("/", "-") for it in ("/etc/keystead", "/var/lib/keystead")}
    for folder in files.values():
        folder.mkdir(mode=0o700)
    port, log = str(free_port()), tmp_path / "journal"
    replaced = {
        "8420": port,
        "/run/keystead": str(tmp_path),
        "example.com": "localhost",
        PROGRAM: str(Path(sys.executable).with_name("keystead")),
        **{shown: str(ours) for shown, ours in files.items()},
    }
    settings = SETTINGS_FILE + f"KEYSTEAD_PORT={port}\n"
    for shown, ours in replaced.items():
        settings = settings.replace(shown, ours)
    (files["/etc/keystead"] / "keystead.env").write_text(settings)
    start = f"""#!/bin/sh
case "$1" in enable|restart) ;; *) exit 0 ;; esac
if [ -e {tmp_path}/pid ]; then
    kill "$(cat {tmp_path}/pid)"
    while curl -fs http://127.0.0.1:{port}/healthz >/dev/null; do sleep 0.1; done
fi
set -a; . {files["/etc/keystead"]}/keystead.env
{replaced[PROGRAM]} serve >> {log} 2>&1 &
echo $! > {tmp_path}/pid
"""
    nothing = "#!/bin/sh\n"
    programs = {
        "systemctl": start,
        "journalctl": f"#!/bin/sh\ncat {log}\n",
        "runuser": '#!/bin/sh\nshift 3\nexec "$@"\n',
        **dict.fromkeys(("make", "useradd", "nginx"), nothing),
    }
    home = tmp_path / "home"
    home.mkdir()
    faults = [
        f"{PAGE.name}:{done.step.line} {done.fault}\n{done.step.commands}\nprinted:\n{done.printed}"
        for done in follow(PAGE, home, replaced, programs=programs)
        if done.fault is not None
    ]
    assert not faults, "\n\n".join(faults)
    assert stat.S_IMODE((files["/var/lib/keystead"] / "secret.key").stat().st_mode) == 0o600
