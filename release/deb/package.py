"""Builds phonegate_<version>_all.deb from the zipapp, with dpkg-deb.

    python3 -m release.deb.package dist/phonegate.pyz dist

The packages inside the zipapp become /usr/lib/phonegate, so that nothing is unpacked at a start.
All that phonegate can say of itself (units, man pages, completions, settings) is made by those
packages (`made_files.py`), so that it is of the same version whatever the builder has installed.
The same zipapp gives the same bytes: order, modes, owners and times are fixed.
"""

import argparse
import gzip
import hashlib
import os
import re
import shutil
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from release.build_tools import run
from release.deb import changelog
from release.deb import copyright as rights
from release.deb.version import debian_version
from release.version import epoch_of, version_of

ROOT: Final = Path(__file__).resolve().parent.parent.parent
HERE: Final = ROOT / "release" / "deb"

NAME: Final = "phonegate"

MAINTAINER: Final = "phonegate maintainers <phonegate@packages.invalid>"
"""There is no public address yet; the field has to have the form of one."""

PACKAGES: Final = "usr/lib/phonegate"
DOCUMENTS: Final = f"usr/share/doc/{NAME}"

SCRIPTS: Final = ("postinst", "prerm", "postrm")
"""Maintainer scripts, in Debian's sense (deb-postinst(5) and its neighbours)."""

CONFFILES: Final = ("etc/phonegate/gateway.toml",)
"""Files that belong to the administrator: an upgrade asks before it changes them."""

DATA_MODE, PROGRAM_MODE, SECRET_MODE = 0o644, 0o755, 0o640

KIB: Final = 1024

STEP_S: Final = 120
"""Seconds for a program of the build, on a busy machine too. They end within those of the part."""

LEVEL = "-z6"
"""How hard dpkg-deb compresses."""

LEFT_OUT: Final = ("bin", "share")
"""Folders of the zipapp's packages: its own start, and man pages of other programs."""


def build(pyz: Path, out: Path, version: str, epoch: int) -> Path:
    """Builds the package into the folder `out`. Returns its path.

    Args:
        pyz: The zipapp.
        out: A folder, which is made where it is missing.
        version: phonegate's, such as `1.2.0` or `1.3.0rc1`.
        epoch: The time of all files inside, in seconds since 1970.

    Raises:
        SystemExit: dpkg-deb is not here, or a step failed.
    """
    if shutil.which("dpkg-deb") is None:
        raise SystemExit("dpkg-deb is not here: install dpkg, or build the package on Debian")
    out.mkdir(parents=True, exist_ok=True)
    number = debian_version(version)
    target = out.resolve() / f"{NAME}_{number}_all.deb"
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder, "tree")
            lay_out(pyz, tree, version, epoch)
            even_out(tree, epoch)
            pack(tree, target, epoch)
    finally:
        os.umask(before)
    return target


def lay_out(pyz: Path, tree: Path, version: str, epoch: int) -> None:
    """Writes all files of the package below `tree`."""
    site = tree / PACKAGES
    unpack(pyz, site)
    day = datetime.fromtimestamp(epoch, UTC).date().isoformat()
    make(site, tree, day, version)
    place(HERE / "launcher.py", tree / "usr/bin" / NAME)
    place(HERE / "scripts" / "rtupdate", tree / f"usr/share/python3/runtime.d/{NAME}.rtupdate")
    place(HERE / "files" / "lintian-overrides", tree / "usr/share/lintian/overrides" / NAME)
    documents = tree / DOCUMENTS
    place(HERE / "files" / "README.Debian", documents / "README.Debian")
    licence = (ROOT / "LICENSE").read_text()
    (documents / "copyright").write_text(rights.text(site, licence))
    history = (ROOT / "CHANGELOG.md").read_text()
    # `phonegate upgrade --check` says from it what changes.
    (documents / "CHANGELOG.md").write_text(history)
    # One file, since the package has no revisions beside the program's (Debian policy, 12.7).
    (documents / "changelog").write_text(
        changelog.text(history, version=version, maintainer=MAINTAINER, epoch=epoch)
    )
    for path in (documents / "changelog", *sorted((tree / "usr/share/man").rglob("*.[1-9]"))):
        compress(path)
    control(tree, version)


def unpack(pyz: Path, site: Path) -> None:
    """Unpacks the packages of the zipapp, but for what is the zipapp's own."""
    with zipfile.ZipFile(pyz) as archive:
        for name in archive.namelist():
            top, _, path = name.partition("/")
            if top != "site-packages" or path.partition("/")[0] in LEFT_OUT or not path:
                continue
            target = site / path
            if name.endswith("/"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))


def make(site: Path, tree: Path, day: str, version: str) -> None:
    """Has the packages in `site` write what phonegate says of itself."""
    run(
        *(sys.executable, "-P", "-B", "-m", "release.deb.made_files", str(tree), day, version),
        deadline_s=STEP_S,
        path=(site, ROOT),
        quiet=True,
    )


def place(source: Path, target: Path) -> None:
    """Copies a file of this folder to its place in the package."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def compress(path: Path) -> None:
    """Replaces a file by its compressed form, which holds no name and no time."""
    with (
        path.with_name(f"{path.name}.gz").open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed,
    ):
        packed.write(path.read_bytes())
    path.unlink()


def control(tree: Path, version: str) -> None:
    """Writes what dpkg reads: the fields, the scripts, the sums, the list of conffiles."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    folder = tree / "DEBIAN"
    folder.mkdir()
    fields = {
        "VERSION": debian_version(version),
        "MAINTAINER": MAINTAINER,
        "KIB": str(sum(-(-path.stat().st_size // KIB) for path in files)),
    }
    text = (HERE / "files" / "control").read_text()
    (folder / "control").write_text(re.sub("@([A-Z]+)@", lambda found: fields[found[1]], text))
    for name in SCRIPTS:
        place(HERE / "scripts" / name, folder / name)
    (folder / "conffiles").write_text("".join(f"/{path}\n" for path in CONFFILES))
    sums = {path.relative_to(tree).as_posix(): path.read_bytes() for path in files}
    (folder / "md5sums").write_text(
        "".join(
            f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}  {name}\n"
            for name, content in sums.items()
            if name not in CONFFILES
        )
    )


def even_out(tree: Path, epoch: int) -> None:
    """Gives all files and folders their mode and the same time."""
    programs = {f"usr/bin/{NAME}", f"usr/share/python3/runtime.d/{NAME}.rtupdate"}
    programs.update(f"DEBIAN/{name}" for name in SCRIPTS)
    for path in sorted(tree.rglob("*"), reverse=True):
        name = path.relative_to(tree).as_posix()
        if path.is_dir() or name in programs:
            path.chmod(PROGRAM_MODE)
        else:
            path.chmod(SECRET_MODE if name in CONFFILES else DATA_MODE)
        os.utime(path, (epoch, epoch))
    tree.chmod(PROGRAM_MODE)
    os.utime(tree, (epoch, epoch))


def pack(tree: Path, target: Path, epoch: int) -> None:
    """Packs the tree. xz on one thread, since the number of threads would show in the bytes."""
    run(
        *("dpkg-deb", "--root-owner-group", "--uniform-compression", "-Zxz", LEVEL),
        *("--build", str(tree), str(target)),
        deadline_s=STEP_S,
        variables={"SOURCE_DATE_EPOCH": str(epoch), "DPKG_DEB_THREADS_MAX": "1"},
        quiet=True,
    )


def main() -> None:
    """Reads the command line and builds."""
    parser = argparse.ArgumentParser(description="Builds the Debian package of phonegate.")
    parser.add_argument("pyz", type=Path, help="the zipapp (release/zipapp.py makes it)")
    parser.add_argument("out", type=Path, help="the folder to build into")
    parser.add_argument("--version", default=version_of(ROOT), help="phonegate's version")
    options = parser.parse_args()
    print(build(options.pyz, options.out, options.version, epoch_of(ROOT)))


if __name__ == "__main__":
    main()
