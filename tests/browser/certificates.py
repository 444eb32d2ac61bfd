"""A certificate for localhost, made for one test."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Where a certificate and its key are."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What trusts nobody but this certificate."""
        return ssl.create_default_context(cafile=str(self.chain))

    def installed(self, config: str, host: str) -> str:
        """A configuration of nginx for `host`, with this certificate in place of the one that it names."""
        folder = f"/etc/ssl/{host}"
        return config.replace(f"{folder}/fullchain.pem", str(self.chain)).replace(
            f"{folder}/privkey.pem", str(self.key)
        )


def make_certificate(folder: Path) -> Certificate:
    """Make a certificate for localhost that has signed itself."""
    made = Certificate(chain=folder / "chain.pem", key=folder / "key.pem")
    options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    program = shutil.which("openssl") or "/usr/bin/openssl"
    command = [program, "req", *options, *names, "-keyout", made.key, "-out", made.chain]
    subprocess.run(command, check=True, capture_output=True)
    return made
