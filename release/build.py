"""Builds every file of a release into one folder."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from release import changelog, checksums, distributions, homeassistant, sbom, zipapp
from release.build_tools import python_with_pip, run
from release.source import stage
from release.version import epoch_of, version_of

PARTS = ("wheel", "zipapp", "deb", "homeassistant", "sbom", "notes")
"""What a release has. The deb, the add-on and the bill of materials are made of the zipapp."""

DEB_S = 300
"""Seconds to make the Debian package, on a busy machine too."""

NEEDED = {"deb": "zipapp", "homeassistant": "zipapp", "sbom": "zipapp"}


def build(
    root: Path, output: Path, parts: Collection[str] = PARTS, *, strict: bool = False
) -> None:
    """Builds parts of a release of the checkout at `root`, and their SHA256SUMS.

    The files replace what an earlier build has left in the folder, once all are there.

    Args:
        root: A clone or an unpacked sdist.
        output: The folder for the files.
        parts: Which of `PARTS`.
        strict: Whether only what is committed may be built, and nothing may be left out.
    """
    wanted = {*parts, *(NEEDED[part] for part in parts if part in NEEDED)}
    before = os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="phonegate-release-") as name:
            made = _Release(root, Path(name), strict=strict)
            for part in PARTS:
                if part in wanted:
                    with _progress(part):
                        getattr(made, part)()
            checksums.write(made.dist, made.dist.iterdir())
            _replace(made.dist, output)
    finally:
        os.umask(before)
    for path in checksums.named(output):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


class _Release:
    """One build: each part is a method that puts its files into `dist`."""

    def __init__(self, root: Path, scratch: Path, *, strict: bool) -> None:
        self.dist = scratch / "dist"
        self.dist.mkdir()
        self._scratch = scratch
        self._strict = strict
        self._source = scratch / "source"
        for note in stage(root, self._source):
            if strict:
                sys.exit(f"A release is built of what is committed; this would be {note}")
            print(f"note: {note}", file=sys.stderr)
        self._version = version_of(self._source)
        self._epoch = epoch_of(self._source)
        self._python = python_with_pip(scratch / "python")
        self._zipapp = self.dist / "phonegate.pyz"

    def wheel(self) -> None:
        distributions.build(
            self._source,
            self.dist,
            python=self._python,
            epoch=self._epoch,
            scratch=self._scratch / "distributions",
        )

    def zipapp(self) -> None:
        zipapp.build(self._zipapp, root=self._source, python=self._python)

    def deb(self) -> None:
        if shutil.which("dpkg-deb") and (self._source / "release/deb/package.py").exists():
            # In the staged source: what it reads beside the zipapp is as committed too.
            run(
                *(sys.executable, "-m", "release.deb.package", str(self._zipapp), str(self.dist)),
                *("--version", self._version),
                deadline_s=DEB_S,
                folder=self._source,
                variables={"SOURCE_DATE_EPOCH": str(self._epoch)},
                quiet=True,
            )
        elif self._strict:
            sys.exit("The deb is made by dpkg-deb: apt install dpkg, or leave it out by --only")
        else:
            print("left out, as there is no dpkg-deb here", file=sys.stderr)

    def homeassistant(self) -> None:
        version, epoch = self._version, self._epoch
        homeassistant.build(self._source, self._zipapp, self.dist, version=version, epoch=epoch)

    def sbom(self) -> None:
        text = sbom.bill(
            self._version,
            sbom.packages((self._source / "release" / "requirements.txt").read_text()),
            sbom.licences(self._zipapp),
            digest=checksums.digest_of(self._zipapp),
            epoch=self._epoch,
        )
        (self.dist / f"phonegate-{self._version}.cdx.json").write_text(text)

    def notes(self) -> None:
        text = (self._source / "CHANGELOG.md").read_text()
        (self.dist / "NOTES.md").write_text(changelog.notes(text, self._version))


@contextmanager
def _progress(part: str) -> Iterator[None]:
    """Says what is being made, and how long that took."""
    print(f"{part:13}…", end=" ", file=sys.stderr, flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


def _replace(made: Path, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for old in checksums.named(output):
        old.unlink(missing_ok=True)
    for path in made.iterdir():
        shutil.copy2(path, output)
