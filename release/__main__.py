"""The maintainer's commands: builds a release, or gives the checkout the version of the next."""

import argparse
import datetime as dt
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from release import changelog
from release.build import PARTS, build
from release.build_tools import PYTHON
from release.version import version_of

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"\d+\.\d+\.\d+")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m release",
        description="Builds every file of a release: wheel and sdist, zipapp, Debian package, "
        "add-on for Home Assistant, bill of materials, notes and SHA256SUMS. Any Python from 3.11 "
        "builds the same bytes.",
    )
    made.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder for them")
    made.add_argument(
        "--only", action="append", choices=PARTS, help="build this part alone; may be repeated"
    )
    made.add_argument(
        "--tag", help="build for this tag, such as v1.2.0: refuses whatever does not fit it"
    )
    commands = made.add_subparsers(dest="command", title="instead of building")
    setting = commands.add_parser(
        "set", help="write the version of the next release into the program and the changelog"
    )
    setting.add_argument("version", help="such as 1.2.0")
    setting.add_argument(
        "--day",
        type=dt.date.fromisoformat,
        default=dt.datetime.now(dt.UTC).date(),
        help="of the release, such as 2026-12-01; today if not given",
    )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and does what it says."""
    options = parser().parse_args(arguments)
    if sys.version_info < PYTHON:
        sys.exit(f"Python {'.'.join(map(str, PYTHON))} or newer is needed")
    if options.command == "set":
        set_version(ROOT, options.version, options.day)
        return
    if options.tag:
        refuse_other_tag(ROOT, options.tag)
    build(ROOT, options.output, options.only or PARTS, strict=bool(options.tag))


def set_version(root: Path, version: str, day: dt.date) -> None:
    """Gives a checkout a version, and makes a section of it of all that is unreleased."""
    if not VERSION.fullmatch(version):
        sys.exit(f"A version is three numbers, such as 1.2.0; {version!r} is not.")
    before = version_of(root)
    if _numbers(version) < _numbers(before):
        sys.exit(f"This checkout is {before} already; {version} is older.")
    path = root / "CHANGELOG.md"
    text = path.read_text()
    if re.search(rf"^## \[{re.escape(version)}\]", text, re.MULTILINE):
        sys.exit(f"CHANGELOG.md has a section [{version}] already.")
    try:
        path.write_text(changelog.released(text, version, day.isoformat()))
    except changelog.NoSuchSection as error:
        sys.exit(f"{error}, or nothing in it: there is nothing to release.")
    program = root / "phonegate" / "__init__.py"
    declared = f'__version__ = "{before}"'
    program.write_text(program.read_text().replace(declared, f'__version__ = "{version}"'))
    print(f"{before} -> {version}, of {day}. Now: git commit, then git tag v{version}")


def refuse_other_tag(root: Path, tag: str) -> None:
    """Ends with a sentence unless the tag is that of the checkout's version and its notes."""
    version = version_of(root)
    if tag != f"v{version}":
        sys.exit(
            f"The tag {tag} is not of this version, {version}: python -m release set "
            f"{tag.removeprefix('v')}, commit that, and tag it."
        )
    try:
        changelog.section((root / "CHANGELOG.md").read_text(), version)
    except changelog.NoSuchSection as error:
        sys.exit(f"{error}: python -m release set {version} makes it.")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


if __name__ == "__main__":
    main()
