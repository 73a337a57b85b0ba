"""Installs phonegate in each way into a bare Debian 12, and measures what that takes.

    sudo .venv/bin/python -m trials.installs
    sudo .venv/bin/python -m trials.installs --only zipapp --only pipx

Each way starts from the same root without Python, and ends with the first simulated message
there and back. Prints a table in Markdown. Exits 1 if a way did not come to its message. Needs
root and mmdebstrap; the root is made once and kept in a temporary folder.
"""

import argparse
import datetime as dt
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from trials.booted_root import NotBooted, booted
from trials.installs import bare_root, release_files, traffic
from trials.installs.bare_root import BareRoot, Run
from trials.installs.table import table
from trials.installs.way import SEEN, Measured, NotInstalled, Way
from trials.installs.ways import WAYS

ROOT_S: Final = 1800
"""Seconds to make the bare root, which is downloaded."""

UNPACK_S: Final = 300
"""Seconds to unpack it, on a slow disk too."""

INSTALL_S: Final = 1800
"""Seconds to install one thing, with all that it downloads."""

DEMO_S: Final = 300
"""Seconds to the end of the first message, on a busy machine too."""

PEAK: Final = (
    "sed -n 's/VmHWM:[^0-9]*//p' /proc/$(systemctl show -P MainPID {})/status | cut -d' ' -f1"
)
"""Prints the most memory that a unit's main process had, in KiB."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m trials.installs", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", action="append", choices=[way.name for way in WAYS])
    cache = Path(tempfile.gettempdir(), "phonegate-installs")
    parser.add_argument("--cache", type=Path, default=cache, help="where the bare root is kept")
    parser.add_argument("--dist", type=Path, help="a release that is built already")
    options = parser.parse_args()
    if os.geteuid():
        parser.error("only root may enter another root: run it by sudo")
    if not shutil.which("mmdebstrap"):
        parser.error("mmdebstrap makes the bare root: apt install mmdebstrap")
    rows, failed = [], False
    try:
        tar = bare_root.packed(options.cache, deadline_s=ROOT_S)
    except NotInstalled as error:
        sys.exit(f"FAULT: {error}")
    with tempfile.TemporaryDirectory(prefix="phonegate-release-") as folder:
        dist, repository = options.dist or Path(folder, "dist"), Path(folder, "repository")
        if not options.dist:
            release_files.build(dist)
        release_files.clone(repository)
        for way in WAYS:
            if options.only and way.name not in options.only:
                continue
            print(f"{way.name} …", file=sys.stderr, flush=True)
            try:
                rows.append(measured(way, tar, dist, repository))
            except NotInstalled as error:
                failed = True
                print(f"FAULT: {way.name}: {error}", file=sys.stderr, flush=True)
    print(table(rows))
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, {dt.datetime.now(dt.UTC):%Y-%m-%d}")
    sys.exit(failed)


def measured(way: Way, tar: Path, dist: Path, repository: Path) -> Measured:
    """Goes one way from a new root to the first message.

    Raises:
        NotInstalled: It did not come so far.
    """
    with bare_root.unpacked(tar, deadline_s=UNPACK_S) as root, traffic.counted() as through:
        bare_mb = root.used_mb()
        debian = root.run(
            "apt-get update -q && apt-get install -q -y --no-install-recommends "
            + " ".join(way.debian),
            deadline_s=INSTALL_S,
            proxy=through.url,
        )
        taken = sum(root.take(path) for glob in way.files for path in dist.glob(glob))
        if way.repository:
            shutil.copytree(repository, root.folder / "repository")
            taken += sum(path.stat().st_size for path in repository.rglob("*.pack"))
        given_mb = 0.0
        if way.unit:
            install, demo = in_booted(root, way)
        else:
            install = root.run(way.install or "true", deadline_s=INSTALL_S, proxy=through.url)
            demo = root.run(way.demo, deadline_s=DEMO_S)
        if SEEN not in demo.output:
            raise NotInstalled(f"{way.demo} printed no {SEEN!r}:\n{demo.output}")
        return Measured(
            title=way.title,
            debian_s=debian.seconds,
            install_s=install.seconds,
            demo_s=demo.seconds,
            downloaded_mb=(through.received_bytes + taken) / 1e6,
            disk_mb=root.used_mb() - bare_mb - given_mb,
            memory_mb=demo.peak_mb,
        )


def in_booted(root: BareRoot, way: Way) -> tuple[Run, Run]:
    """Installs a service where systemd runs, and shows the first message there.

    Raises:
        NotInstalled: A line failed, or there is no systemd.
    """
    runs = []
    try:
        with booted(root.folder) as machine:
            for lines in (way.install, way.demo, PEAK.format(way.unit)):
                done = machine.run(lines)
                if done.code:
                    raise NotInstalled(f"{lines.strip()}\n  ended with {done.code}:\n{done.output}")
                runs.append(done)
    except NotBooted as error:
        raise NotInstalled(f"systemd did not start: {error}") from None
    install, demo, peak = runs
    return Run(install.output, install.seconds, 0), Run(
        demo.output, demo.seconds, int(peak.output) / 1000
    )


if __name__ == "__main__":
    main()
