"""Versions as Debian orders them (deb-version(7)). Pure."""

import re


def debian_version(version: str) -> str:
    """Returns a version of Python's form, such as `1.3.0rc1`, in Debian's: `1.3.0~rc1`.

    Raises:
        ValueError: Debian could not have such a version.
    """
    # Of the versions before a release, those of its development come first.
    number = re.sub(r"\.dev(\d+)", r"~~dev\1", re.sub(r"(a|b|rc)(\d+)", r"~\1\2", version))
    if not re.fullmatch(r"\d[A-Za-z0-9.+~]*", number):
        raise ValueError(f"{version!r} can't be the version of a Debian package")
    return number
