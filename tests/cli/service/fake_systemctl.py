"""A service manager for tests: it does for one unit what `systemctl --user` does.

It is run as `systemctl` and as `journalctl`. What it keeps is in the folder FAKE_SYSTEMD.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_SYSTEMD"])
UNIT = Path(os.environ["HOME"], ".config/systemd/user/phonegate.service")
PID, LOG, CALLS, ENABLED = (STATE / name for name in ("pid", "log", "calls", "enabled"))


def running() -> int:
    pid = int(PID.read_text()) if PID.exists() else 0
    with contextlib.suppress(OSError, IndexError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return 0 if state == "Z" else pid
    return 0


def stop() -> None:
    if pid := running():
        os.kill(pid, signal.SIGTERM)
    while running():
        time.sleep(0.01)


def start() -> None:
    lines = dict(
        line.split("=", 1)
        for line in UNIT.read_text().splitlines()
        if "=" in line and line[0] != "#"
    )
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            shlex.split(lines["ExecStart"]),
            cwd=lines["WorkingDirectory"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    PID.write_text(str(process.pid))


def show() -> None:
    pid = running()
    failed = PID.exists() and not pid
    properties = {
        "LoadState": "loaded" if UNIT.exists() else "not-found",
        "FragmentPath": UNIT if UNIT.exists() else "",
        "UnitFileState": "enabled" if ENABLED.exists() else "",
        "ActiveState": "active" if pid else "activating" if failed else "inactive",
        "MainPID": pid,
        "NRestarts": 2 if failed else 0,
        "MemoryCurrent": "[not set]",
    }
    sys.stdout.writelines(f"{name}={value}\n" for name, value in properties.items())


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--user"]
    with CALLS.open("a") as calls:
        calls.write(" ".join(words) + "\n")
    match words[0]:
        case "show":
            show()
        case "start":
            start()
        case "stop":
            stop()
            PID.unlink(missing_ok=True)
        case "enable":
            ENABLED.touch()
        case "disable":
            stop()
            ENABLED.unlink()
            PID.unlink()
        case "reset-failed":
            sys.exit("Unit phonegate.service not loaded.")
        case _:
            if Path(sys.argv[0]).name == "journalctl":
                sys.stdout.write(LOG.read_text())


if __name__ == "__main__":
    main()
