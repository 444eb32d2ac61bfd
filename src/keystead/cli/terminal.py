"""What is asked of people, and secrets read in: never from an argument."""

import asyncio
import sys
from pathlib import Path
from typing import TextIO

import typer

from keystead.cli.exits import ExitCode, Failure

_MAX_TOKEN_TEXT = 1_000_000
_NOT_AN_ARGUMENT = (
    "a token is never given as an argument, which the shell's history and everyone on this machine can read: "
    "pipe it in, or give --token-file. If what you wrote is a secret token, rotate its key now."
)


def confirm(question: str, *, yes: bool) -> None:
    """Return if the answer is yes, given before by `--yes` or now on the terminal; else raise.

    Failure off a terminal without `--yes`; `typer.Abort` for any other answer.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Failure(ExitCode.INVALID, "off a terminal nobody can be asked to confirm: add --yes")
    typer.confirm(question, abort=True, err=True)


async def read_token(source: str | None, file: Path | None) -> str:
    """The token to ask about: from `file`, else from standard input, asked for without echo on a terminal.

    `source` is the argument where a token would be written by mistake: only `-` may stand there. What comes
    through a pipe is waited for beside the event loop, which may be keeping the replica level meanwhile: for
    the very command that the token comes from, say.
    """
    if source not in {None, "-"}:
        raise Failure(ExitCode.INVALID, _NOT_AN_ARGUMENT)
    if file is not None and str(file) != "-":
        return _from_file(file)
    if sys.stdin.isatty():
        return str(typer.prompt("Token", hide_input=True, err=True)).strip()
    return await asyncio.to_thread(_text, sys.stdin)


def _from_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return _text(file)
    except OSError as error:
        raise Failure(ExitCode.INVALID, f"--token-file cannot be read: {error.strerror}") from None


def _text(file: TextIO) -> str:
    try:
        return file.read(_MAX_TOKEN_TEXT).strip()
    except UnicodeDecodeError:
        raise Failure(ExitCode.INVALID, "what was given as a token is not text") from None
