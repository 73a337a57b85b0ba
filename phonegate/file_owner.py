"""Whose the files are that root makes in a folder of another user, such as that of a service."""

import os
from contextlib import suppress
from pathlib import Path


def like_folder(descriptor: int, path: Path) -> None:
    """Gives a new file or folder to the owner of the folder that it is in, if this process is root.

    Otherwise `sudo phonegate org add`, before a service's first start, would leave a database that
    the service can't open. Other users can give nothing away, and for them it does nothing.

    Args:
        descriptor: What this process has just made. Giving away what was there already would let
            the owner of the folder choose it, by a link.
        path: Its path.
    """
    if os.geteuid() != 0:
        return
    folder = path.parent.stat()
    if folder.st_uid != 0:
        # Some file systems know no owners: there it is everyone's already.
        with suppress(OSError):
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
