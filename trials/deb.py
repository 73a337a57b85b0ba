"""Installs, upgrades, removes and purges the Debian package under a real systemd.

    sudo .venv/bin/python -m trials.deb

Builds the package, has lintian look at it, boots a Debian 12 of its own, and goes through what an
administrator does. Prints what each step took. Exits 1 at the first promise that is not kept.
Needs root, mmdebstrap, systemd-nspawn and lintian (apt install mmdebstrap systemd-container
lintian).
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import phonegate
from kit.program import ROOT
from trials.booted_root import NotBooted, booted, make, missing
from trials.service import BrokenPromise, Trial

APT: Final = (
    "apt-get -q -y -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef"
    " -o Dpkg::Options::=--force-confold"
)
"""As unattended upgrades run it: they can't be asked about a configuration."""

NEWER: Final = f"{phonegate.__version__}+1"
NEW_LINE: Final = "# A line that the newer version brings."
OWN_LINE: Final = "# A line of the administrator."
CONFIG: Final = "/etc/phonegate/gateway.toml"
CLIENT: Final = "export PHONEGATE_ORG=club PHONEGATE_SECRET=trial-secret-key-1;"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m trials.deb", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--deb", type=Path, help="a package that is built already")
    parser.add_argument("--root", type=Path, help="a root to copy, made here if it is missing")
    options = parser.parse_args()
    lacks = missing()
    if shutil.which("lintian") is None:
        lacks.append("the program lintian")
    if lacks:
        parser.error(f"this needs {' and '.join(lacks)}")
    with tempfile.TemporaryDirectory(prefix="phonegate-deb-") as name:
        folder = Path(name, "root")
        model = options.root or folder
        if not model.exists():
            make(model, ("python3", "adduser", "ca-certificates", "openssl"))
        if model != folder:
            subprocess.run(["cp", "--archive", model, folder], check=True)
        deb = options.deb or built(Path(name, "dist"))
        print(f"{deb.name}: {deb.stat().st_size / 1e6:.1f} MB", flush=True)
        try:
            look(deb)
            shutil.copyfile(deb, folder / "root/phonegate.deb")
            newer(deb, Path(name, "newer"), folder / "root/newer.deb")
            with booted(folder) as root:
                for step in STEPS:
                    step(DebTrial(root))
        except (BrokenPromise, NotBooted) as error:
            print(f"FAULT: {error}", file=sys.stderr)
            sys.exit(1)
    print("Every promise was kept.")


def built(folder: Path) -> Path:
    """Builds the package of this checkout."""
    command = [sys.executable, "-m", "release", "--only", "deb", "--output", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (deb,) = folder.glob("*.deb")
    return deb


def look(deb: Path) -> None:
    """Has lintian find faults, the least ones included.

    Raises:
        BrokenPromise: It found one that no override explains.
    """
    command = ["lintian", "--allow-root", "--info", "--pedantic", "--fail-on=pedantic,info"]
    done = subprocess.run([*command, deb], capture_output=True, text=True, check=False)
    if done.returncode or done.stdout.strip():
        raise BrokenPromise(f"lintian ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    print("lintian finds nothing that is not explained", flush=True)


def newer(deb: Path, tree: Path, target: Path) -> None:
    """Packs the same again as a later version, with another line in its configuration."""
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
    fields = tree / "DEBIAN/control"
    fields.write_text(re.sub(r"(?m)^Version: .*$", f"Version: {NEWER}", fields.read_text()))
    with (tree / CONFIG.removeprefix("/")).open("a") as file:
        file.write(f"{NEW_LINE}\n")
    command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree), str(target)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class DebTrial(Trial):
    """Commands in the container, and how long apt takes."""

    def apt(self, words: str, *expected: str) -> float:
        """Runs apt-get. Returns its seconds."""
        return self.do(f"DEBIAN_FRONTEND=noninteractive {APT} {words}", *expected).seconds

    def show(self, name: str) -> str:
        """Returns a property of the service's unit."""
        return self.do(f"systemctl show --value --property={name} phonegate").output.strip()


def install(trial: DebTrial) -> None:
    seconds = trial.apt("install ./phonegate.deb", "sudo phonegate setup")
    links = json.loads(trial.do("phonegate setup --json").output)["links"]
    if not links or "/console/set-up/" not in links[0]:
        raise BrokenPromise(f"there is no set-up link: {links}")
    trial.do("phonegate health", "ok: phonegate")
    size = trial.do("dpkg-query --show --showformat '${Installed-Size}' phonegate").output
    used = trial.do("du -sk /usr/lib/phonegate | cut -f1").output
    trial.say(
        f"installed and serving in {seconds:.1f} s; {int(size) / 1e3:.0f} MB, "
        f"{int(used) / 1e3:.0f} MB with bytecode"
    )


def confined(trial: DebTrial) -> None:
    trial.do("systemctl is-active phonegate; systemctl is-enabled phonegate", "active\nenabled\n")
    trial.do("systemctl is-enabled phonegate-backup.timer", "disabled", code=1)
    limits = trial.show("MemoryMax"), trial.show("LimitCORE"), trial.show("User")
    if not 0 < int(limits[0]) < 2**40 or limits[1:] != ("0", "phonegate"):
        raise BrokenPromise(f"its limits and user are {limits}")
    trial.do(f"stat -c '%A %U:%G' {CONFIG}", "-rw-r----- root:phonegate")
    for folder in ("/var/lib/phonegate", "/var/backups/phonegate"):
        trial.do(f"stat -c '%A %U:%G' {folder}", "drwx------ phonegate:phonegate")
    trial.do("getent passwd phonegate", ":/var/lib/phonegate:/usr/sbin/nologin")
    trial.do("runuser -u nobody -- phonegate org list", f"'{CONFIG}' is not readable", code=2)
    trial.do("runuser -u phonegate -- phonegate org list")
    trial.do("cd /tmp && phonegate check", CONFIG)
    trial.do("phonegate service install", "apt upgrades it", code=1)
    trial.do("phonegate upgrade", "sudo apt install")


def by_root(trial: DebTrial) -> None:
    """What root writes for the service is the service's."""
    trial.do("phonegate certificate gate.local", "/var/lib/phonegate/tls/")
    trial.do("systemctl stop phonegate; rm /var/lib/phonegate/phonegate.db*")
    trial.do("phonegate org add first")
    trial.do("systemctl start phonegate && phonegate org list", "first")
    trial.do('test -z "$(find /var/lib/phonegate ! -user phonegate)"')
    trial.do("phonegate org remove first --yes")


def messages(trial: DebTrial) -> None:
    done = trial.do("phonegate demo --once", "Both ways work.")
    trial.say(f"demo: {done.seconds:.1f} s")
    trial.do("echo trial-secret-key-1 | phonegate org add club --secret-from stdin")
    trial.do(
        f"{CLIENT} phonegate phone --simulate --reply --sim 1:+15551112222 --duration 5"
        " >/dev/null & sleep 1;"
        f"{CLIENT} phonegate send --to +15553334444 'Dinner at eight' --wait 20",
        "sent",
    )
    trial.do(f"{CLIENT} phonegate messages", "Dinner at eight", "received")


def copies(trial: DebTrial) -> None:
    trial.do("systemctl enable --now phonegate-backup.timer")
    trial.do("systemctl start phonegate-backup.service && ls /var/backups/phonegate", ".db")


def upgrade(trial: DebTrial) -> None:
    trial.do(f"echo '{OWN_LINE}' >> {CONFIG}")
    before = trial.show("MainPID")
    seconds = trial.apt("install ./newer.deb")
    trial.do("dpkg-query --show phonegate", NEWER)
    trial.do("phonegate health", "ok: phonegate")
    if trial.show("MainPID") == before:
        raise BrokenPromise("the old version goes on")
    trial.do(f"{CLIENT} phonegate messages", "Dinner at eight")
    trial.do(f"tail -1 {CONFIG}", OWN_LINE)
    trial.do(f"tail -1 {CONFIG}.dpkg-dist", NEW_LINE)
    trial.do(f"stat -c '%A %U:%G' {CONFIG}", "-rw-r----- root:phonegate")
    trial.do("systemctl is-enabled phonegate-backup.timer", "enabled")
    trial.say(f"upgraded and serving in {seconds:.1f} s")


def kept_off(trial: DebTrial) -> None:
    """What an administrator has stopped stays so, and an upgrade without a port ends well."""
    trial.do("systemctl disable --now phonegate")
    trial.apt("install --reinstall ./newer.deb")
    trial.do("systemctl is-active phonegate; systemctl is-enabled phonegate", code=1)
    trial.do("systemctl enable phonegate")
    listener = "import socket,time; s=socket.create_server(('',8080)); time.sleep(600)"
    trial.do(f'systemd-run --unit=squatter python3 -c "{listener}"')
    seconds = trial.apt("install --reinstall ./newer.deb")
    trial.do("dpkg --audit")
    trial.do("journalctl -u phonegate --no-pager", "8080")
    trial.do("systemctl stop squatter")
    trial.do("systemctl restart phonegate && phonegate health", "ok: phonegate")
    trial.say(f"upgraded with a port that is taken in {seconds:.1f} s, and apt ends well")


def remove(trial: DebTrial) -> None:
    seconds = trial.apt("remove phonegate")
    trial.do('test -z "$(find /proc -maxdepth 1 -user phonegate)"')
    trial.do("ls -d /usr/lib/phonegate /usr/bin/phonegate", code=2)
    trial.do(f"tail -1 {CONFIG}; ls /var/lib/phonegate", OWN_LINE, "phonegate.db")
    trial.say(f"removed in {seconds:.1f} s")
    trial.apt("install ./newer.deb")
    trial.do(f"{CLIENT} phonegate messages", "Dinner at eight")


def purge(trial: DebTrial) -> None:
    trial.apt("purge phonegate", "are kept in /var/backups/phonegate/purged-")
    trial.do("ls -d /etc/phonegate /var/lib/phonegate", code=2)
    trial.do("stat -c '%A %U' /var/backups/phonegate", "drwx------ root")
    left = trial.do("find / -xdev -name '*phonegate*' -not -path '/root/*'").output.splitlines()
    strange = [path for path in left if not path.startswith("/var/backups/phonegate")]
    if strange:
        raise BrokenPromise(f"purging left {strange}")
    trial.do("systemctl --failed --no-legend | wc -l", "0")
    # The way back that README.Debian has.
    trial.apt("install ./phonegate.deb")
    trial.do(
        "systemctl stop phonegate && rm /var/lib/phonegate/phonegate.db*"
        " && mv /var/backups/phonegate/purged-*/* /var/lib/phonegate/"
        " && chown -R phonegate: /var/lib/phonegate && systemctl start phonegate"
    )
    trial.do(f"{CLIENT} phonegate messages", "Dinner at eight")
    trial.say("purged, installed again, and the database brought back")


STEPS: Final = (install, confined, by_root, messages, copies, upgrade, kept_off, remove, purge)


if __name__ == "__main__":
    main()
