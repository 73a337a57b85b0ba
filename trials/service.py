"""Installs, upgrades and removes the service under a real systemd, in a Debian 12 of its own.

    sudo .venv/bin/python -m trials.service

Makes a root with systemd and Python, boots it in a container, and goes through what an owner does
with the zipapp alone: install, look, send, back up, kill, upgrade, go back, remove, and all of it
again as a user without root. Exits 1 at the first promise that is not kept, and says which.
Needs root, mmdebstrap and systemd-nspawn (apt install mmdebstrap systemd-container).
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

import phonegate
from kit.program import ROOT
from trials.booted_root import BootedRoot, Done, NotBooted, booted, make, missing

NEWER: Final = "99.0.0"
PROGRAM: Final = "python3 phonegate.pyz"
CLIENT: Final = "PHONEGATE_ORG=club PHONEGATE_SECRET=trial-secret-key-1"
USER: Final = "ann"


class BrokenPromise(AssertionError):
    """The service did not do what it should."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m trials.service", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--zipapp", type=Path, help="a program that is built already")
    parser.add_argument("--root", type=Path, help="a root to copy, made here if it is missing")
    options = parser.parse_args()
    if lacks := missing():
        parser.error(f"this needs {' and '.join(lacks)}")
    with tempfile.TemporaryDirectory(prefix="phonegate-service-") as name:
        folder = Path(name, "root")
        model = options.root or folder
        if not model.exists():
            make(model, ("python3", "libpam-systemd", "dbus-user-session"))
        if model != folder:
            subprocess.run(["cp", "--archive", model, folder], check=True)
        program = options.zipapp or built(Path(name, "phonegate.pyz"))
        shutil.copyfile(program, folder / "root/phonegate.pyz")
        newer(program, folder / "root/newer.pyz")
        try:
            with booted(folder) as root:
                for step in STEPS:
                    step(Trial(root))
        except (BrokenPromise, NotBooted) as error:
            print(f"FAULT: {error}", file=sys.stderr)
            sys.exit(1)
    print("Every promise was kept.")


def built(path: Path) -> Path:
    """Builds the zipapp of this checkout."""
    command = [sys.executable, "-m", "release.zipapp", "--output", str(path)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return path


def newer(source: Path, target: Path) -> None:
    """Writes the same program as a later version, whose database has one more step."""
    with source.open("rb") as file:
        shebang = file.readline()
    with zipfile.ZipFile(source) as old, target.open("wb") as file:
        file.write(shebang)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                content = old.read(entry)
                if entry.filename.endswith("phonegate/__init__.py"):
                    content = content.replace(phonegate.__version__.encode(), NEWER.encode())
                elif entry.filename.endswith("phonegate/store/migrations.py"):
                    content = re.sub(
                        rb"(?m)^\)\n(?=\"\"\"Step n)", b'    ("SELECT 1",),\n)\n', content
                    )
                elif entry.filename == "environment.json":
                    fields = json.loads(content)
                    # What an earlier build has unpacked is found by this.
                    fields["build_id"] = fields["build_id"][::-1]
                    content = json.dumps(fields).encode()
                new.writestr(entry, content)


class Trial:
    """Commands in the container, and what is expected of them."""

    def __init__(self, root: BootedRoot) -> None:
        self.root = root

    def do(self, lines: str, *expected: str, code: int = 0, user: str = "") -> Done:
        """Runs lines that end with a code and print these texts."""
        done = self.root.run(lines, user=user)
        lacking = [text for text in expected if text not in done.output]
        if done.code != code or lacking:
            raise BrokenPromise(
                f"`{lines}` ended with {done.code} instead of {code}, lacks {lacking}:\n"
                f"{done.output}"
            )
        return done

    def status(self, *, user: str = "") -> dict[str, object]:
        option = " --user" if user else ""
        done = self.root.run(f"phonegate service status --json{option}", user=user)
        read: dict[str, object] = json.loads(done.output)
        return read

    @staticmethod
    def say(text: str) -> None:
        print(text, flush=True)


def install(trial: Trial) -> None:
    trial.do(f"{PROGRAM} service status", "not installed", code=1)
    trial.do(f"{PROGRAM} service install --dry-run", "add the system user phonegate")
    trial.do("id phonegate", code=1)
    done = trial.do(f"{PROGRAM} service install", "/console/set-up/", "journalctl -u phonegate")
    trial.say(f"installed in {done.seconds:.1f} s, the unpacking included")
    seen = trial.status()
    if (seen["answers"], seen["enabled"]) != (True, "enabled"):
        raise BrokenPromise(f"status: {seen}")
    trial.do("phonegate health", "ok: phonegate")
    done = trial.do("systemctl restart phonegate && phonegate health", "ok: phonegate")
    trial.say(f"restarted and asked in {done.seconds:.1f} s")


def confined(trial: Trial) -> None:
    pid = trial.status()["pid"]
    seen = trial.do(f"cat /proc/{pid}/status /proc/{pid}/limits").output
    for line in (
        r"NoNewPrivs:\s+1",
        r"CapEff:\s+0+\n",
        r"Max core file size\s+0 ",
        r"Seccomp:\s+2",
    ):
        if not re.search(line, seen):
            raise BrokenPromise(f"the process lacks {line}")
    if re.search(r"^Uid:\s+0", seen, re.MULTILINE):
        raise BrokenPromise("it runs as root")
    score = trial.do("systemd-analyze security --no-pager phonegate | tail -1").output.strip()
    trial.say(f"confined: {score.lstrip('→ ')}")
    trial.do(
        "stat -c %a:%U /var/lib/phonegate /etc/phonegate/gateway.toml", "700:phonegate\n640:root"
    )


def traffic(trial: Trial) -> None:
    trial.do("echo trial-secret-key-1 | phonegate org add club --secret-from stdin")
    trial.do(
        f"export {CLIENT}; phonegate phone --simulate --duration 30 >/dev/null 2>&1 & sleep 3; "
        f"{CLIENT} phonegate send --to +15553334444 hello --wait 20",
        "sent",
    )
    trial.do("phonegate backup /var/backups/phonegate", "MB")
    trial.say("sent and backed up")


def killed(trial: Trial) -> None:
    before = trial.status()["pid"]
    trial.do(f"kill -9 {before}; sleep 1; while ! phonegate health; do sleep 0.5; done", "ok:")
    if trial.status()["pid"] == before:
        raise BrokenPromise("the killed process lives")
    trial.do(f"{CLIENT} phonegate messages", "hello")
    trial.say("killed, and started again by systemd")


def upgrade(trial: Trial) -> None:
    trial.do("sed -i 's/^# Every address.*/# my own line/' /etc/phonegate/gateway.toml")
    done = trial.do("python3 newer.pyz service install", "copy the database to", NEWER)
    trial.say(f"upgraded in {done.seconds:.1f} s")
    trial.do("cat /etc/phonegate/gateway.toml", "# my own line")
    trial.do(f"{CLIENT} phonegate messages", "hello")
    trial.do("phonegate version", NEWER)
    if trial.status()["running"] != NEWER:
        raise BrokenPromise(f"status: {trial.status()}")


def go_back(trial: Trial) -> None:
    previous = "python3 /usr/local/lib/phonegate/phonegate-previous.pyz service install"
    trial.do(previous, "The gateway does not start", "a newer phonegate has used it", code=1)
    trial.do("phonegate service status", "a newer phonegate has used it", code=1)
    trial.do(
        "systemctl stop phonegate; cd /var/lib/phonegate; rm -f phonegate.db-wal phonegate.db-shm; "
        "install -o phonegate -g phonegate -m 0600 "
        "/var/backups/phonegate/$(ls -t /var/backups/phonegate | head -1) phonegate.db"
    )
    trial.do(f"{PROGRAM} service install", phonegate.__version__)
    trial.do(f"{CLIENT} phonegate messages", "hello")
    trial.say("went back by the previous program and the copy that the upgrade had made")


def remove(trial: Trial) -> None:
    trial.do("phonegate service remove", "stay. --purge removes them")
    trial.do("systemctl status phonegate", code=4)
    trial.do("ls /var/lib/phonegate/phonegate.db /etc/phonegate/gateway.toml")
    trial.do("ls /usr/local/bin/phonegate /usr/local/lib/phonegate /var/cache/phonegate", code=2)
    taken = "systemd-run --quiet --unit=taken python3 -m http.server 8080"
    trial.do(f"{taken}; sleep 2")
    trial.do(f"{PROGRAM} service install", "The gateway does not start", "8080", code=1)
    trial.do("systemctl stop taken")
    trial.do(f"{PROGRAM} service install", "serves, process")
    trial.do(f"{CLIENT} phonegate messages", "hello")
    trial.do("phonegate service remove --purge", code=1)
    trial.do("phonegate service remove --purge --yes")
    trial.do("ls -d /var/lib/phonegate /etc/phonegate /var/cache/phonegate", code=2)
    trial.do("id phonegate", code=1)
    trial.say("removed; with a taken port it said so; installed again with all data; purged")


def as_user(trial: Trial) -> None:
    trial.do(f"useradd --create-home {USER} && loginctl enable-linger {USER} && sleep 3")
    trial.do(f"cp phonegate.pyz /home/{USER}/")
    run = "export XDG_RUNTIME_DIR=/run/user/$(id -u) PATH=$HOME/.local/bin:$PATH; "
    done = trial.do(f"{run}{PROGRAM} service install --user", "/console/set-up/", user=USER)
    trial.say(f"installed as a user in {done.seconds:.1f} s")
    trial.do(f"{run}phonegate service status --user", "enabled", user=USER)
    trial.do(f"{run}phonegate health", "ok:", user=USER)
    trial.do(f"{run}phonegate service install", "This needs root: sudo", code=1, user=USER)
    trial.do(f"{run}phonegate service remove --user --purge --yes", user=USER)
    trial.do("ls -d ~/.local/share/phonegate ~/.config/phonegate", code=2, user=USER)
    trial.say("removed as a user")


STEPS: Final = (install, confined, traffic, killed, upgrade, go_back, remove, as_user)


if __name__ == "__main__":
    main()
