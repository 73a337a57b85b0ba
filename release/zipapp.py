"""Builds dist/phonegate.pyz: the whole gateway in one file that any Python 3.11 or newer runs.

    .venv/bin/python release/zipapp.py            builds it, with any Python from 3.11
    .venv/bin/python release/zipapp.py --pin      renews the pinned packages, with 3.11

The same source gives the same bytes, wherever and whenever it is built: packages are pinned by
hash; whatever names the builder's machine is removed; file modes, times and order are fixed.
Native modules are removed too, so that the file is the same for every CPU (MarkupSafe, the only
package that has one, comes with the same in Python). What a package needs on an old Python is
decided when the packages are pinned, so that is done with the oldest Python that phonegate
supports, and pip is asked for files that run on it. SOURCE_DATE_EPOCH sets the time of the files
inside, which else is the day of the newest release.
"""

import argparse
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run by its path, its own folder comes first, where it would hide Python's module zipapp.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from release.build_tools import PYTHON, install, python_with_pip, run
from release.checksums import digest_of
from release.version import epoch_of, version_of

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "release" / "requirements.txt"
SHIV = ROOT / "release" / "shiv.txt"
START = ROOT / "release" / "start.py"
SPEC = ROOT / "shiv.spec"
CHANGELOG = "CHANGELOG.md"

PACK_S = 300
"""Seconds for shiv to pack them, on a busy machine too."""

PIN_S = 3600
"""Seconds to pin packages, for which pip looks at every version that may fit."""

MODE = 0o100644
"""Of every file inside."""

TRACES = ("RECORD", "INSTALLER", "REQUESTED", "WHEEL", "direct_url.json")
"""Files of a `.dist-info` that tell how and for which machine a package was installed."""

HEAD = """\
# {what}, pinned by hash for Python 3.11.
# Made from pyproject.toml by: .venv/bin/python release/zipapp.py --pin
"""
PINNED = (
    ("requirements.txt", "The packages inside the zipapp", ()),
    ("backend.txt", "What builds the wheel", ("--all-build-deps", "--only-build-deps")),
)
"""Each file of pins, what it says of itself, and what pip-tools is asked for to make it."""


def build(output: Path, *, root: Path = ROOT, python: str | None = None) -> str:
    """Builds the zipapp of the checkout at `root`. Returns its SHA-256.

    Args:
        output: The file to be written.
        root: A checkout.
        python: One that has pip; else one is found or made.
    """
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder, "site")
            tools = Path(folder, "tools")
            python = python or python_with_pip(Path(folder, "python"))
            install(python, root / REQUIREMENTS.relative_to(ROOT), site)
            install(python, root / SHIV.relative_to(ROOT), tools)
            add_phonegate(root, site)
            strip(site)
            packed = Path(folder, "packed.pyz")
            pack(root, site, tools, packed)
            start = (root / START.relative_to(ROOT)).read_bytes()
            even_out(packed, start, (root / CHANGELOG).read_bytes(), output)
    finally:
        os.umask(before)
    return digest_of(output)


def add_phonegate(root: Path, site: Path) -> None:
    """Adds phonegate itself: as it is pure Python, its files are what its wheel would hold.

    Without a build backend, no version of one shows in the bytes.
    """
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(root / "phonegate", site / "phonegate", ignore=ignored)
    version = version_of(root)
    metadata = site / f"phonegate-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    oldest = ".".join(map(str, PYTHON))
    metadata.write_text(
        f"Metadata-Version: 2.1\nName: phonegate\nVersion: {version}\nRequires-Python: >={oldest}\n"
    )


def strip(site: Path) -> None:
    """Removes what names the builder's machine or runs on one kind of CPU alone."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for path in sorted(site.rglob("*")):
        native = path.suffix in {".so", ".pyd"}
        trace = path.parent.suffix == ".dist-info" and path.name in TRACES
        if path.is_file() and (native or trace or path.suffix == ".pyc"):
            path.unlink()


def pack(root: Path, site: Path, tools: Path, output: Path) -> None:
    """Runs the shiv that is unpacked in `tools`, with the arguments of shiv.spec."""
    lines = (root / SPEC.name).read_text().splitlines()
    arguments = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    run(
        *(sys.executable, "-m", "shiv.cli", *arguments),
        *("--site-packages", str(site), "--output-file", str(output)),
        deadline_s=PACK_S,
        folder=root,
        # shiv itself needs click, which is one of the packages.
        path=(tools, site),
        variables={"SOURCE_DATE_EPOCH": str(epoch_of(root))},
        # It warns of its own age on later Pythons.
        quiet=True,
    )


def even_out(packed: Path, start: bytes, changelog: bytes, output: Path) -> None:
    """Writes the archive anew in a fixed order, with fixed modes, and with our own start.

    The changelog is added, for `phonegate upgrade --check`. It is not unpacked.

    shiv sorts what it packs but its own bootstrap files, which keep the order and the modes of
    the file system that it was installed on.
    """
    with packed.open("rb") as file:
        shebang = file.readline()
    with zipfile.ZipFile(packed) as old, output.open("wb") as file:
        file.write(shebang)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
            for entry in sorted(old.infolist(), key=lambda entry: entry.filename):
                even = zipfile.ZipInfo(entry.filename, entry.date_time)
                even.compress_type = zipfile.ZIP_DEFLATED
                even.external_attr = MODE << 16
                ours = entry.filename == "__main__.py"
                new.writestr(even, start if ours else old.read(entry))
            news = zipfile.ZipInfo(CHANGELOG, even.date_time)
            news.compress_type = zipfile.ZIP_DEFLATED
            news.external_attr = MODE << 16
            new.writestr(news, changelog)
    output.chmod(0o755)


def pin() -> None:
    """Renews the pinned requirements from pyproject.toml. Needs pip-tools."""
    for name, what, options in PINNED:
        with tempfile.TemporaryDirectory() as folder:
            compiled = Path(folder, name)
            run(
                *(sys.executable, "-m", "piptools", "compile", "--quiet", "--upgrade", *options),
                *("--generate-hashes", "--strip-extras", "--no-header", "--no-emit-index-url"),
                *("--no-emit-find-links", "--no-emit-trusted-host", "--allow-unsafe"),
                *("--output-file", str(compiled), "pyproject.toml"),
                deadline_s=PIN_S,
                folder=ROOT,
            )
            (ROOT / "release" / name).write_text(HEAD.format(what=what) + compiled.read_text())


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and builds."""
    parser = argparse.ArgumentParser(description="Builds the zipapp of phonegate.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "phonegate.pyz")
    parser.add_argument("--pin", action="store_true", help="renew the pinned packages")
    options = parser.parse_args(arguments)
    wanted, here = (".".join(map(str, version)) for version in (PYTHON, sys.version_info[:2]))
    if sys.version_info < PYTHON:
        parser.error(f"Python {wanted} or newer is needed; this is Python {here}")
    if options.pin:
        if sys.version_info[:2] != PYTHON:
            parser.error(f"pin with Python {wanted}: what this one ({here}) needs may be less")
        pin()
        return
    digest = build(options.output)
    size = options.output.stat().st_size / 1e6
    print(f"{options.output}  {size:.1f} MB  sha256 {digest}")


if __name__ == "__main__":
    main()
