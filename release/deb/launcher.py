#!/usr/bin/python3 -I
"""Runs phonegate from the packages beside it: this is /usr/bin/phonegate of the Debian package.

They come after Python's own modules and before those of Debian, which may have others of the same
names. -I keeps the variables and folders of the person who runs it out of it.
"""

import os
import sys

PACKAGES = "/usr/lib/phonegate"
CONFIG = "/etc/phonegate/gateway.toml"
VARIABLE = "PHONEGATE_CONFIG"


def main() -> int:
    """Runs the command line. Returns the exit code."""
    shared = (at for at, path in enumerate(sys.path) if path.endswith("-packages"))
    sys.path.insert(next(shared, len(sys.path)), PACKAGES)
    # The package makes all bytecode when it is installed; what root adds would stay behind.
    sys.dont_write_bytecode = True
    # Commands are about the service, so that `sudo phonegate setup` finds it, from any folder. A
    # file in root's working folder may be another person's, and is not even looked for. Who may not
    # read the service's file gets that as the error, unless there is an own file here.
    readable = os.access(CONFIG, os.R_OK)
    own = os.path.exists("gateway.toml")  # noqa: PTH110 - pathlib would cost each start
    if not os.environ.get(VARIABLE) and os.path.exists(CONFIG) and (readable or not own):  # noqa: PTH110
        os.environ[VARIABLE] = CONFIG
    from phonegate.__main__ import main as run  # noqa: PLC0415 - not on the path before

    return run()


if __name__ == "__main__":
    sys.exit(main())
