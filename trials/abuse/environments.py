"""The grounds that cases of abuse ask for, each made ready or found unavailable."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import trustme

from kit.program import ROOT
from trials.abuse.case import EnvironmentName
from trials.abuse.cases.half_open import NAMESPACE
from trials.abuse.victim import Unavailable, Victim, opened

DISK_BYTES = 64 * 2**20
"""Room for the file and its log of up to 16 MiB, or the disk would fill again on its own."""
SHIM = Path(__file__).with_name("failing_disk.c")
FAKETIME = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
NEAR, FAR = "10.231.77.1", "10.231.77.2"
"""Ends of a pair of virtual cards, one of them in the clients' namespace."""


@contextlib.contextmanager
def plain(folder: Path) -> Iterator[Victim]:
    """HTTP on the loopback."""
    with opened(folder) as victim:
        yield victim


@contextlib.contextmanager
def tls(folder: Path) -> Iterator[Victim]:
    """HTTPS on the loopback."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    paths = [folder / name for name in ("authority.pem", "server.crt", "server.key")]
    authority.cert_pem.write_to_path(str(paths[0]))
    issued.cert_chain_pems[0].write_to_path(str(paths[1]))
    issued.private_key_pem.write_to_path(str(paths[2]))
    settings: dict[str, object] = {"TLS_CERTIFICATE": paths[1], "TLS_KEY": paths[2]}
    with opened(folder, settings=settings, authority=paths[0]) as victim:
        yield victim


@contextlib.contextmanager
def two_nets(folder: Path) -> Iterator[Victim]:
    """A second network with a namespace of its own, whose packets can be dropped."""
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not installed (Debian: iproute2, nftables)")
    inside = ("ip", "netns", "exec", NAMESPACE)
    card, other = f"pg{os.getpid() % 100_000}a", f"pg{os.getpid() % 100_000}b"
    try:
        try:
            _run("ip", "netns", "add", NAMESPACE)
            _run(
                "ip", "link", "add", card, "type", "veth", "peer", "name", other, "netns", NAMESPACE
            )
            _run("ip", "address", "add", f"{NEAR}/30", "dev", card)
            _run("ip", "link", "set", card, "up")
            _run(*inside, "ip", "address", "add", f"{FAR}/30", "dev", other)
            _run(*inside, "ip", "link", "set", other, "up")
            _run(*inside, "nft", "add table inet abuse")
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode().strip()
            raise Unavailable(f"network namespaces (CAP_NET_ADMIN): {reason}") from error
        with opened(folder, also=(f"{NEAR}:0",), host=NEAR) as victim:
            drop = "add chain inet abuse {} {{ type filter hook {} priority 0; policy drop; }}"

            def cut(_: str) -> None:
                for way in ("input", "output"):
                    _run(*inside, "nft", drop.format(way, way))

            victim.hurt = cut
            victim.heal = lambda: _run(*inside, "nft", "flush ruleset")
            yield victim
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", card], check=False, capture_output=True)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Victim]:
    """A disk of 16 MiB under the database, which something else can fill."""
    disk = folder / "disk"
    disk.mkdir()
    try:
        _run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "phonegate-abuse", str(disk))
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable("the right to mount a tmpfs (CAP_SYS_ADMIN)") from error
    try:
        ballast = disk / "ballast"

        def fill(_: str) -> None:
            with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4_096))

        with opened(folder, database=disk / "phonegate.db") as victim:
            victim.hurt, victim.heal = fill, ballast.unlink
            yield victim
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)


@contextlib.contextmanager
def failing_disk(folder: Path) -> Iterator[Victim]:
    """A preloaded library that fails the database's writes or flushes on demand."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unavailable("a C compiler (Debian: gcc, libc6-dev)")
    library, flags = folder / "failing_disk.so", folder / "flags"
    flags.mkdir()
    try:
        _run(compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SHIM), "-ldl")
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"a C compiler that works: {error.stderr.decode()[-300:]}") from error
    wrapper = ("env", f"LD_PRELOAD={library}", f"FAILING_DISK={flags}")
    with opened(folder, wrapper=wrapper) as victim:

        def heal() -> None:
            for flag in flags.iterdir():
                flag.unlink()

        victim.hurt, victim.heal = lambda how: (flags / how).touch(), heal
        yield victim


@contextlib.contextmanager
def other_clock(folder: Path) -> Iterator[Victim]:
    """A clock of the day that can be set, while the monotonic one goes on as ever."""
    libraries = [path for pattern in FAKETIME for path in Path("/").glob(pattern[1:])]
    if not libraries:
        raise Unavailable("libfaketime (Debian: faketime)")
    shift = folder / "clock"
    shift.write_text("+0")
    wrapper = (
        "env",
        f"LD_PRELOAD={libraries[0]}",
        f"FAKETIME_TIMESTAMP_FILE={shift}",
        # Seconds; to read the file at every look at the clock is dear.
        "FAKETIME_CACHE_DURATION=1",
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
        # Else it takes deadlines of the monotonic clock for past, and threads that wait for
        # Python's lock spin.
        "FAKETIME_FORCE_MONOTONIC_FIX=0",
        "NO_FAKE_STAT=1",
    )

    def turn(to: str) -> None:
        new = shift.with_suffix(".new")
        new.write_text(to)
        new.replace(shift)

    # As shipped, a gateway looks at the clock of the day four times in a minute.
    program = (str(ROOT / "trials" / "short_timeouts.py"),)
    with opened(folder, wrapper=wrapper, program=program) as victim:
        victim.hurt, victim.heal = turn, lambda: turn("+0")
        yield victim


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


ENVIRONMENTS: dict[EnvironmentName, Callable[[Path], AbstractContextManager[Victim]]] = {
    "plain": plain,
    "tls": tls,
    "two nets": two_nets,
    "small disk": small_disk,
    "failing disk": failing_disk,
    "other clock": other_clock,
}
