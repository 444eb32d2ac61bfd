"""What stories do to the machine around the servers: small volumes, dropped packets, another wall clock."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from tests.servers import Command, Postgres, free_port, postgres_data, serve_postgres


def program(name: str) -> str:
    """Where a program of the system is; AssertionError with the fix when it is absent."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found is not None, f"{name} is absent: run scripts/system-packages"
    return found


def require_root(what: str) -> None:
    """AssertionError with the fix unless we are root."""
    assert os.geteuid() == 0, f"{what} needs root: run the tests as root, as in a container"


def run(*command: str | Path) -> None:
    """Run a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


# A volume that fills up


@dataclass(frozen=True, slots=True)
class Volume:
    """A small volume of its own, in memory."""

    path: Path

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"

    def fill(self) -> None:
        """Write until not one byte more goes on it."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """Take away what `fill` wrote."""
        self._ballast.unlink()


@contextmanager
def small_volume(path: Path, size: str) -> Iterator[Volume]:
    """Mount a volume of `size` at `path`, made if it is not there, until the block ends."""
    require_root("mounting a volume")
    path.mkdir(parents=True, exist_ok=True)
    run(program("mount"), "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", path)
    try:
        yield Volume(path)
    finally:
        # Lazily: a process that is about to end may still have a file open.
        run(program("umount"), "--lazy", path)


# A database behind a network that drops packets


@dataclass(frozen=True, slots=True, kw_only=True)
class FarPostgres:
    """PostgreSQL on a network of its own, with two addresses; the packets of one of them can be dropped."""

    data: Path
    port: int
    namespace: str
    fragile: str
    safe: str
    _numbers: Iterator[int] = field(default_factory=count)

    @contextmanager
    def serving(self) -> Iterator[Postgres]:
        """Run the server until the block ends; it listens at both addresses, and psql takes the safe one."""
        within: Command = [program("ip"), "netns", "exec", self.namespace]
        addresses = f"{self.fragile},{self.safe}"
        with serve_postgres(
            self.data, port=self.port, host=self.safe, within=within, listen_addresses=addresses
        ) as server:
            # Its databases outlive it: their names go on.
            yield replace(server, _numbers=self._numbers)

    def fragile_url(self, url: str) -> str:
        """The URL of the same database at the fragile address."""
        return url.replace(f"@{self.safe}:", f"@{self.fragile}:")

    def cut(self) -> None:
        """From now on every packet to and from the fragile address is dropped without a word."""
        self._nft("add", "rule", "inet", "cut", "in", "ip", "daddr", self.fragile, "drop")
        self._nft("add", "rule", "inet", "cut", "out", "ip", "saddr", self.fragile, "drop")

    def mend(self) -> None:
        """Let packets pass again."""
        self._nft("flush", "table", "inet", "cut")

    def prepare(self) -> None:
        self._nft("add", "table", "inet", "cut")
        for name, hook in (("in", "input"), ("out", "output")):
            chain = "{ type filter hook " + hook + " priority 0; }"
            self._nft("add", "chain", "inet", "cut", name, chain)

    def _nft(self, *arguments: str) -> None:
        run(program("ip"), "netns", "exec", self.namespace, program("nft"), *arguments)


@contextmanager
def far_postgres() -> Iterator[FarPostgres]:
    """A database for `serving`, in a network namespace that ends with the block."""
    require_root("a network namespace")
    ip, own = program("ip"), os.getpid()
    name, ours, theirs = f"keystead-{own}", f"ksa{own}", f"ksb{own}"
    # A subnet that no other run of these tests is likely to have at the same time.
    network = f"10.231.{own // 32 % 256}.{own % 32 * 8}".rpartition(".")
    address = [f"{network[0]}.{int(network[2]) + number}" for number in range(4)]
    with ExitStack() as stack:
        data = stack.enter_context(postgres_data())
        with (data / "pg_hba.conf").open("a") as file:
            file.write("host all all 10.231.0.0/16 trust\n")
        run(ip, "netns", "add", name)
        stack.callback(run, ip, "netns", "del", name)
        # The pair ends with the namespace; until its end is in there, it has to be ended by hand.
        run(ip, "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
        run(ip, "addr", "add", f"{address[1]}/29", "dev", ours)
        run(ip, "link", "set", ours, "up")
        within = (ip, "netns", "exec", name, ip)
        for host in address[2:4]:
            run(*within, "addr", "add", f"{host}/29", "dev", theirs)
        run(*within, "link", "set", theirs, "up")
        run(*within, "link", "set", "lo", "up")
        far = FarPostgres(data=data, port=free_port(), namespace=name, fragile=address[2], safe=address[3])
        far.prepare()
        yield far


# Another wall clock


@dataclass(frozen=True, slots=True)
class WallClock:
    """The wall clock of processes that find `environ`; the clock of the machine's boot stays as it is."""

    offset: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_libfaketime()),
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self.offset),
            "FAKETIME_NO_CACHE": "1",
            # Mended by it, waits on the monotonic clock end at once: threads fight for the interpreter.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }

    def set(self, seconds: int) -> None:
        """Put the clock so far ahead of the true time, or behind it."""
        beside = self.offset.with_name(f"{self.offset.name}.new")
        beside.write_text(f"{seconds:+d}\n")
        beside.replace(self.offset)


def _libfaketime() -> Path:
    name = "faketime/libfaketimeMT.so.1"
    found = [*Path("/usr").glob(f"lib*/{name}"), *Path("/usr").glob(f"lib*/*/{name}")]
    assert found, "libfaketime is absent: run scripts/system-packages"
    return found[0]
