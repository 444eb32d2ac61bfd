"""`keystead`: the command, its groups, and how each way to fail ends it."""

import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer
from typer.main import get_command

from keystead import __version__
from keystead.cli import apps, keys, nodes, organizations, replica, root_keys, scopes, server, users
from keystead.cli.arguments import refuse_tokens
from keystead.cli.exits import ExitCode, Failure, exit_codes_help, failure_of
from keystead.cli.printing import clean, print_json, print_line
from keystead.domain.errors import KeysteadError

_HELP = """
Self-hosted API keys: issue, scope, rotate, revoke and verify them.

Commands work on the local data directory, or with --server or KEYSTEAD_URL on a server, as the key in
KEYSTEAD_TOKEN or in the file KEYSTEAD_TOKEN_FILE. With --json they print the API's JSON.
"""


def _print_version(asked: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if asked:
        print_line(f"keystead {__version__}")
        raise typer.Exit


app = typer.Typer(
    help=_HELP,
    epilog=exit_codes_help(),
    no_args_is_help=True,
    add_completion=False,
    # Rich would take [METHODS] in a help text for markup, and --help is quicker without it.
    rich_markup_mode=None,
)
app.command("serve")(server.serve)
app.command("migrate")(server.migrate)
app.command("doctor")(server.doctor)
app.add_typer(organizations.group, name="org")
app.add_typer(apps.group, name="app")
app.add_typer(users.group, name="user")
app.add_typer(scopes.group, name="scope")
app.add_typer(keys.group, name="key")
app.add_typer(root_keys.group, name="root-key")
app.add_typer(nodes.group, name="node")
app.add_typer(replica.group, name="replica")


@app.callback()
def root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """The program `keystead`."""
    if isinstance(sys.stdout, TextIOWrapper):
        # A name that the terminal's encoding lacks must not end a command whose token is shown only now.
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code says how it went (see `exits`)."""
    try:
        refuse_tokens(arguments)
        # What the command returns is its code if it ended by `typer.Exit`, else None.
        return (
            get_command(app).main(list(arguments), prog_name="keystead", standalone_mode=False) or ExitCode.OK
        )
    except Failure as failure:
        return _report(failure, arguments)
    except KeysteadError as error:
        return _report(failure_of(error), arguments)
    except typer.TyperException as error:
        return _report_usage(error, arguments)
    except typer.Abort:
        return _report(Failure(ExitCode.FAILED, "stopped; nothing was changed"), arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends with a code of ours
        traceback.print_exc()
        return _report(
            Failure(ExitCode.FAILED, f"a fault of Keystead's own: {type(error).__name__}"), arguments
        )


def _report_usage(error: typer.TyperException, arguments: Sequence[str]) -> int:
    message, context = error.format_message(), getattr(error, "ctx", None)
    path = getattr(context, "command_path", None)
    if message.startswith("Usage:"):
        # A group without a command answers with its help.
        print_line(message, err=True)
        return ExitCode.INVALID
    hint = f" (see {path} --help)" if path else ""
    return _report(Failure(ExitCode.INVALID, message + hint), arguments)


def _report(failure: Failure, arguments: Sequence[str]) -> int:
    if "--json" in arguments:
        print_json(failure.problem, err=True)
    else:
        print_line(f"error: {clean(failure.detail)}", err=True)
    return failure.code
