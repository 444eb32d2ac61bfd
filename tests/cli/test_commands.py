"""The commands there are, and that asking for help costs little."""

import subprocess
import sys

import pytest
from typer.main import get_command

from keystead.cli.main import app

GROUPS = {
    "": "serve migrate doctor org app user scope key root-key node replica",
    "org": "member create list show update suspend resume delete audit",
    "org member": "add list role remove",
    "app": "create list show update suspend resume delete",
    "user": "create list show update suspend resume",
    "scope": "create list update delete",
    "key": "create list show update rotate retire disable enable reveal revoke verify lookup",
    "root-key": "create list show rotate revoke",
    "node": "list",
    "replica": "status verify rebuild",
}


def commands(group=None, path=()):
    group = group or get_command(app)
    for name, inner in group.commands.items():
        if hasattr(inner, "commands"):
            yield from commands(inner, (*path, name))
        else:
            yield (*path, name), inner


@pytest.mark.parametrize(("group", "names"), GROUPS.items())
def test_group_has_these_commands(run, group, names):
    found = get_command(app)
    for name in group.split():
        found = found.commands[name]
    assert set(found.commands) == set(names.split())


COMMANDS = list(commands())
IDS = [" ".join(path) for path, _ in COMMANDS]


@pytest.mark.parametrize("path", [path for path, _ in COMMANDS], ids=IDS)
def test_every_command_has_help_and_prints_json_when_asked(run, path):
    result = run(*path, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: keystead {' '.join(path)}")
    assert ("--json" in result.out) == (path != ("serve",))


@pytest.mark.parametrize("command", [inner for _, inner in COMMANDS], ids=IDS)
def test_every_option_has_a_help_text(command):
    assert [it.name for it in command.params if not it.help] == []


def test_help_loads_nothing_heavy():
    heavy = "alembic httpx litestar rich sqlalchemy structlog uvicorn"
    program = f"""
import sys
from keystead.cli.main import main
main(["key", "create", "--help"])
print([name for name in {heavy.split()!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
