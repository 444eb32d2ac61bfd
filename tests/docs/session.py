"""Doing what a page says, from its first command to its last, in one shell, as its reader would.

The shell stands in a folder that looks like a fresh clone, with `keystead` on its PATH and no settings but
the page's own. What runs until it is stopped (`make run`, `keystead serve`) goes on in the background, as in
another terminal.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.docs.pages import ROOT, Page, Step
from tests.docs.printed import matches
from tests.servers import free_port

USUAL_PORT = "8420"
TIMEOUT_S = 540

_SERVERS = ("make run", "keystead serve")
_HIDDEN_BUT_SHARED = frozenset({".npmrc", ".venv"})

# An HTTP error is no failure to curl. To us it is one, unless the page shows that answer or uses -f itself.
_CURL = """#!/bin/sh
case " $* " in *" -f"*) exec "{curl}" --silent "$@" ;; esac
"{curl}" --silent --fail-with-body "$@"
code=$?
[ "$code" = 22 ] || exit "$code"
echo "$*" >> "{refused}"
"""
_SERVE = """{command} > {kept}/server.log 2>&1 &
for _ in $(seq 300); do {curl} -fs -o {kept}/ready http://127.0.0.1:{port}/readyz && break; sleep 0.1; done
{curl} -fsS -o {kept}/ready http://127.0.0.1:{port}/readyz || {{ cat {kept}/server.log; exit 1; }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a step; `refused` names requests that were answered with an HTTP error."""

    step: Step
    begun: bool
    ended: bool
    printed: str
    refused: str

    @property
    def fault(self) -> str | None:
        """Why this is not as the page says; None when it is."""
        if not self.begun:
            return "was not come to"
        if not self.ended:
            return "failed, or did not end"
        if self.step.printed is not None and not self._as_shown():
            return f"printed something else than line {self.step.printed.line} shows"
        shown = self.step.printed
        if self.refused and (
            shown is None or not any(it in shown.text for it in ("HTTP/1.1 4", '"status": 4'))
        ):
            return f"was refused: curl {self.refused}"
        return None

    def _as_shown(self) -> bool:
        try:
            return self.step.printed is None or matches(self.step.printed, self.printed)
        except ValueError:
            return False


def follow(
    page: Page,
    home: Path,
    replacements: Mapping[str, str],
    *,
    environ: Mapping[str, str] = MappingProxyType({}),
    programs: Mapping[str, str] = MappingProxyType({}),
) -> Sequence[Done]:
    """Do all that the page says, in an empty `home`; `replacements` are made in what is typed.

    `environ` is set, and `programs`, scripts by name, come before others of that name.
    """
    session = _Session(home, {USUAL_PORT: str(free_port()), **replacements}, environ, programs)
    return session.follow(page.steps)


class _Session:
    def __init__(
        self,
        home: Path,
        replacements: Mapping[str, str],
        environ: Mapping[str, str],
        programs: Mapping[str, str],
    ) -> None:
        self._given = environ
        self._clone = home / "keystead"
        self._kept = home / "kept"
        self._replacements = replacements
        self._port = replacements[USUAL_PORT]
        self._curl = shutil.which("curl") or "curl"
        watched = _CURL.format(curl=self._curl, refused=self._kept / "refused")
        self._programs = {"curl": watched, **programs}

    def follow(self, steps: Sequence[Step]) -> Sequence[Done]:
        self._furnish()
        (self._kept / "script").write_text(self._script(steps))
        process = subprocess.Popen(
            ["/bin/sh", "-eu", self._kept / "script"],
            cwd=self._clone,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            with suppress(subprocess.TimeoutExpired):
                process.wait(TIMEOUT_S)
        finally:
            _end_group(process)
        return [self._done(i, step) for i, step in enumerate(steps)]

    def _furnish(self) -> None:
        """A clone whose files are the repository's, a place for what we keep, and curl with a watchman."""
        self._clone.mkdir()
        for entry in ROOT.iterdir():
            # What a page may write to, such as .gitignore, is not the repository's.
            if entry.name in _HIDDEN_BUT_SHARED or not entry.name.startswith((".", "keystead-data")):
                (self._clone / entry.name).symlink_to(entry)
        folder = self._kept / "programs"
        folder.mkdir(parents=True)
        for name, script in self._programs.items():
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)

    def _environ(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("KEYSTEAD_")}
        path = [self._kept / "programs", Path(sys.executable).parent, os.environ["PATH"]]
        return own | {
            "PATH": os.pathsep.join(map(str, path)),
            "HOME": str(self._kept),
            "KEYSTEAD_PORT": self._port,
            "TERM": "dumb",
            **self._given,
        }

    def _script(self, steps: Sequence[Step]) -> str:
        return "\n".join(self._block(i, step) for i, step in enumerate(steps))

    def _block(self, i: int, step: Step) -> str:
        commands = "".join(map(self._line, step.commands.splitlines(keepends=True)))
        return (
            f"{{\n{commands}}} > {self._kept}/{i}.printed 2>&1 < /dev/null\n"
            f"touch {self._kept}/{i}.ended\n"
            f"[ ! -e {self._kept}/refused ] || mv {self._kept}/refused {self._kept}/{i}.refused\n"
        )

    def _line(self, line: str) -> str:
        for shown, ours in self._replacements.items():
            line = line.replace(shown, ours)
        if not line.startswith(_SERVERS):
            return line
        return _SERVE.format(command=line.strip(), port=self._port, curl=self._curl, kept=self._kept)

    def _done(self, i: int, step: Step) -> Done:
        printed = self._read(f"{i}.printed")
        for shown, ours in self._replacements.items():
            printed = printed.replace(ours, shown)
        return Done(
            step=step,
            begun=(self._kept / f"{i}.printed").exists(),
            ended=(self._kept / f"{i}.ended").exists(),
            printed=printed,
            refused=self._read(f"{i}.refused").strip(),
        )

    def _read(self, name: str) -> str:
        path = self._kept / name
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End the shell and the servers that it left running: its own process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        for _ in range(100):
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
