"""Programs for which a name leads to this machine, as by a line in the hosts file of a machine.

Each runs, unchanged, in a mount namespace of its own whose /etc/hosts has that line. It takes root.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from tests.patience import PATIENCE_S

TRUST = (
    "AWS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "JAVA_TOOL_OPTIONS",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
)
"""Variables that say what a program trusts."""

_MOUNT = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


def own_loopback() -> str:
    """Returns an address of the loopback on which no other process of the tests has port 443."""
    number = os.getpid()
    return f"127.77.{number >> 8 & 255}.{number & 255}"


def hindrance() -> str | None:
    """Returns why it can't be done on this machine, or None."""
    if shutil.which("unshare") is None:
        return "unshare is not installed"
    words = ["unshare", "-m", "sh", "-c", _MOUNT, "sh", "/etc/hosts", "true"]
    if subprocess.run(words, capture_output=True, check=False, timeout=PATIENCE_S).returncode:
        return "this user may not mount in a namespace of its own, as root outside a container may"
    try:
        with socket.create_server((own_loopback(), 443)):
            return None
    except OSError as error:
        return f"port 443 can't be had: {error.strerror}"


@attrs.frozen
class Redirected:
    """Runs programs for which names lead elsewhere.

    Args:
        hosts: A file for its own use.
        names: The address of each name.
    """

    hosts: Path
    names: Mapping[str, str]

    def run(
        self, words: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a program to its end, with no variable about trust but those that are given."""
        lines = ["127.0.0.1 localhost", *(f"{at} {name}" for name, at in self.names.items())]
        self.hosts.write_text("".join(f"{line}\n" for line in lines))
        kept = {name: value for name, value in os.environ.items() if name not in TRUST}
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", _MOUNT, "sh", str(self.hosts), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env={**kept, "NO_COLOR": "1", "NO_PROXY": "*", **(environment or {})},
        )
