"""`keystead replica`: what this node verifies from, on the local data directory."""

# ruff: noqa: PLC0415 - what is imported inside takes long, and `keystead --help` needs none of it

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from keystead.cli.exits import ExitCode, Json
from keystead.cli.printing import View, print_facts, print_json, print_line
from keystead.settings import load_settings

if TYPE_CHECKING:
    from keystead.wiring import Comparison, ReplicaStatus

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Tell = Callable[[int, int], None]

group = typer.Typer(no_args_is_help=True, help="The replica: what this node verifies keys from.")

_TENTHS = 10


@group.command("status")
def status(*, as_json: AsJson = False) -> None:
    """Tell how the replica is: level with the database or not, kept so by whom, how large."""
    from keystead import wiring

    _show_status(asyncio.run(wiring.replica_status(load_settings(os.environ))), as_json=as_json)


@group.command("rebuild")
def rebuild(*, as_json: AsJson = False) -> None:
    """Build the replica anew from the database; keys are verified from the old one meanwhile."""
    from keystead import wiring

    settings = load_settings(os.environ)
    with _progress(silent=as_json) as tell:
        asyncio.run(wiring.rebuild_replica(settings, tell))
    _show_status(asyncio.run(wiring.replica_status(settings)), as_json=as_json)


@group.command("verify")
def verify(*, as_json: AsJson = False) -> None:
    """Compare all of the replica with the database; exit 7 if they differ."""
    from keystead import wiring

    comparison = asyncio.run(wiring.verify_replica(load_settings(os.environ)))
    told = _comparison_json(comparison)
    if as_json:
        print_json(told)
    else:
        print_facts(COMPARISON, told)
    if not comparison.is_clean:
        raise typer.Exit(ExitCode.DIFFERS)


def _show_status(status: "ReplicaStatus", *, as_json: bool) -> None:
    told = _status_json(status)
    if as_json:
        print_json(told)
    else:
        print_facts(STATUS, told)


def _status_json(status: "ReplicaStatus") -> Json:
    found, held = status.survey, status.survey.held
    return {
        "folder": str(found.folder),
        "format": found.format,
        "generation": found.generation,
        "state": status.state,
        "age_s": found.age_ms / 1000 if found.was_level else None,
        "applied_epoch": found.applied_epoch,
        "primary_epoch": status.primary_epoch,
        "lag": status.lag,
        "applier": {"pid": found.applier, "alive": found.applies} if found.applier else None,
        "rebuild": {"done": found.rebuilding[0], "expected": found.rebuilding[1]}
        if found.rebuilding and found.applies
        else None,
        "file": held
        and {
            "bytes": held.file_bytes,
            "bytes_per_version": round(held.file_bytes / held.versions, 1) if held.versions else None,
            "versions": held.versions,
            "policies": held.policies,
            "tenants": held.tenants,
            "refusals": held.refusals,
            "readers": held.readers,
        },
        "other_files": [{"name": it.name, "bytes": it.bytes} for it in found.others],
    }


def _comparison_json(comparison: "Comparison") -> Json:
    return {
        "clean": comparison.is_clean,
        "epoch": comparison.point.epoch,
        "versions": comparison.versions,
        "tenants": comparison.tenants,
        "roles": comparison.roles,
        "missing": comparison.missing,
        "surplus": comparison.surplus,
        "differing": comparison.differing,
        "passed_over": comparison.passed_over,
        "refusals": comparison.refusals,
        "first": [{"fault": it.fault, "kind": it.kind, "id": it.id} for it in comparison.first],
    }


@contextmanager
def _progress(*, silent: bool) -> Iterator[Tell]:
    """Where progress is told: nowhere, in a bar on a terminal, else in a line for each tenth."""
    if silent:
        yield lambda _done, _expected: None
    elif not sys.stderr.isatty():
        yield _tenths()
    else:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task("building the replica", total=None)
            yield lambda done, expected: progress.update(bar, completed=done, total=expected)


def _tenths() -> Tell:
    told = -1

    def tell(done: int, expected: int) -> None:
        nonlocal told
        tenth = _TENTHS * done // max(expected, 1)
        if tenth > told:
            told = tenth
            print_line(f"building the replica: {done:,} of about {expected:,} versions", err=True)

    return tell


def _of_file(read: Callable[[Json], str]) -> Callable[[Json], str]:
    """What is read of the file, where there is one."""

    def of_file(told: Json) -> str:
        file = told["file"]
        return read(file) if isinstance(file, dict) else ""

    return of_file


def _state(told: Json) -> str:
    age_s = told["age_s"]
    if age_s is None:
        return f"{told['state']}: not level with the database since this machine was started"
    return f"{told['state']}: level with the database {age_s} s ago"


def _epoch(told: Json) -> str:
    if told["primary_epoch"] is None:
        return f"{told['applied_epoch']}; the database does not say how far it is"
    return f"{told['applied_epoch']} of {told['primary_epoch']}, lag {told['lag']}"


def _applier(told: Json) -> str:
    applier = told["applier"]
    if not isinstance(applier, dict):
        return "none yet"
    if applier["alive"]:
        return f"process {applier['pid']}"
    return f"none now: process {applier['pid']} did last"


def _rebuild(told: Json) -> str:
    rebuild = told["rebuild"]
    return f"{rebuild['done']} of about {rebuild['expected']}" if isinstance(rebuild, dict) else ""


def _file(told: Json) -> str:
    file = told["file"]
    if not isinstance(file, dict):
        return "damaged or absent: it is built anew" if told["generation"] else "none yet"
    each = file["bytes_per_version"]
    return f"{file['bytes']} bytes" + ("" if each is None else f", {each} a version")


def _others(told: Json) -> str:
    others = told["other_files"]
    return (
        ", ".join(f"{it['name']} ({it['bytes']} bytes)" for it in others) if isinstance(others, list) else ""
    )


STATUS = View(
    many="replicas",
    columns={},
    facts={
        "folder": lambda it: str(it["folder"]),
        "format": lambda it: str(it["format"]),
        "generation": lambda it: str(it["generation"]),
        "state": _state,
        "epoch": _epoch,
        "applied by": _applier,
        "rebuild": _rebuild,
        "file": _file,
        "versions": _of_file(lambda it: str(it["versions"])),
        "policies": _of_file(lambda it: str(it["policies"])),
        "tenants": _of_file(lambda it: str(it["tenants"])),
        "local refusals": _of_file(lambda it: str(it["refusals"])),
        "readers": _of_file(lambda it: str(it["readers"])),
        "other formats": _others,
    },
)

COMPARISON = View(
    many="comparisons",
    columns={},
    facts={
        "replica": lambda it: "as the database" if it["clean"] else "differs from the database",
        "epoch": lambda it: str(it["epoch"]),
        "versions": lambda it: str(it["versions"]),
        "tenants": lambda it: str(it["tenants"]),
        "roles": lambda it: str(it["roles"]),
        "missing": lambda it: str(it["missing"]),
        "surplus": lambda it: str(it["surplus"]),
        "differing": lambda it: str(it["differing"]),
        "passed over": lambda it: f"{it['passed_over']}, changed meanwhile" if it["passed_over"] else "",
        "local refusals": lambda it: str(it["refusals"] or ""),
    },
    parts="first",
    part_columns={
        "fault": lambda it: str(it["fault"]),
        "kind": lambda it: str(it["kind"]),
        "id": lambda it: str(it["id"]),
    },
)
