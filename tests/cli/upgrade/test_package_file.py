"""What is read out of the files of a release, and out of what only looks like one."""

import gzip
import io
import json
import shutil
import subprocess
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import phonegate
from phonegate.cli.upgrade import package_file
from phonegate.cli.upgrade.offer import CHANGELOG, Offer, news
from phonegate.cli.upgrade.version_number import VersionNumber
from phonegate.operations import schema_steps

FILES = {
    "phonegate/__init__.py": '"""Text."""\n__version__ = "9.8.7"\n',
    "phonegate/store/migrations.py": "STEPS: Final = (_ONE, _TWO, *())\nVERSION = len(STEPS)\n",
    "phonegate/config/settings.py": (
        "class HttpSettings:\n    bind: tuple = f()\n    prefix: str = f()\n"
        "class Settings:\n    http: HttpSettings = f()\n    sources: dict = f()\n"
    ),
    CHANGELOG: "# Changelog\n## [9.8.7] - 2027-01-01\n- New.\n## [0.1.0]\n- Old.\n",
}

NEWS = FILES[CHANGELOG]
PROGRAM = {name: text for name, text in FILES.items() if name != CHANGELOG}


def zipped(below: str = "", files: dict[str, str] = FILES) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(below + name, text)
    return written.getvalue()


def tarred(below: str, mode: str = "w:gz", files: dict[str, str] = FILES) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as archive:  # type: ignore[call-overload]
        for name, text in files.items():
            entry = tarfile.TarInfo(below + name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return written.getvalue()


def known(offer: Offer | None) -> tuple[str, int | None, object]:
    assert offer is not None
    return offer.version.text, offer.steps, offer.settings


@pytest.mark.parametrize(
    "content",
    [
        zipped(files={**PROGRAM, "phonegate-9.8.7.dist-info/extra_metadata/CHANGELOG.md": NEWS}),
        b"#!/usr/bin/env python3\n"
        + zipped(
            files={"site-packages/" + name: text for name, text in PROGRAM.items()}
            | {CHANGELOG: NEWS}
        ),
        tarred("phonegate-9.8.7/"),
    ],
    ids=["wheel", "zipapp", "sdist"],
)
def test_a_file_of_a_release(content: bytes) -> None:
    offer = package_file.read(content)
    settings = {"http": frozenset({"bind", "prefix"})}
    assert known(offer) == ("9.8.7", 3, settings)
    assert offer is not None
    assert offer.changelog == NEWS


def test_a_debian_package(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    for name, text in FILES.items():
        path = tmp_path / "root/usr/lib/phonegate" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    control = tmp_path / "root/DEBIAN/control"
    control.parent.mkdir()
    control.write_text(
        "Package: phonegate\nVersion: 9.8.7-1\nArchitecture: all\nMaintainer: A <a@example.org>\n"
        "Description: x\n"
    )
    for packing in ("xz", "gzip", "none"):
        package = tmp_path / f"{packing}.deb"
        command = ["dpkg-deb", f"-Z{packing}", "--build", str(tmp_path / "root"), str(package)]
        subprocess.run(command, check=True, capture_output=True)
        assert known(package_file.read(package.read_bytes()))[:2] == ("9.8.7", 3)


def test_this_program_itself() -> None:
    package = Path(phonegate.__file__).parent
    files = {
        name: (package.parent / name).read_text()
        for name in FILES
        if (package.parent / name).exists()
    }
    version, steps, settings = known(package_file.read(zipped(files=files)))
    assert (version, steps) == (phonegate.__version__, schema_steps.KNOWN)
    assert isinstance(settings, dict)
    assert "plain_bind" in settings["http"]
    assert "notify" in settings["alarms"]


RELEASE = {"tag_name": "v1.3.0", "draft": False, "prerelease": False, "body": "News"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.2.3\n", "1.2.3"),
        ("\ufeffv1.2.3", "1.2.3"),
        ("phonegate 1.2.3", "1.2.3"),
        (json.dumps(RELEASE), "1.3.0"),
        (json.dumps([RELEASE, {**RELEASE, "tag_name": "v1.4.0"}]), "1.4.0"),
        (json.dumps([RELEASE, {**RELEASE, "tag_name": "v2.0.0rc1", "prerelease": True}]), "1.3.0"),
        (json.dumps({"info": {"version": "1.2.3"}, "releases": {}}), "1.2.3"),
        (json.dumps("1.2.3"), "1.2.3"),
        (f"{'0' * 64}  phonegate-1.2.3-py3-none-any.whl\n{'1' * 64}  phonegate.pyz\n", "1.2.3"),
        (f"{'0' * 64} *dist/phonegate_1.2.3_all.deb\n", "1.2.3"),
        (f"{'0' * 64}  phonegate-1.2.3.tar.gz\n", "1.2.3"),
        (FILES["CHANGELOG.md"], "9.8.7"),
    ],
)
def test_a_text_that_names_a_version(text: str, version: str) -> None:
    offer = package_file.read(text.encode())
    assert offer is not None
    assert offer.version.text == version


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>phonegate 1.2.3</html>",
        b"{}",
        b"[" * 100_000,
        zipped(files={"other/__init__.py": '__version__ = "1.2.3"'}),
        zipped(files={"phonegate/__init__.py": "__version__ = read()"}),
        zipped(files={"phonegate/__init__.py": "(" * 10_000}),
        zipped()[:-40],
        tarred("x/")[:50],
        b"!<arch>\n" + b"data.tar        " + b" " * 32 + b"-9        `\n" + b"x" * 99,
        b"!<arch>\n" + b"\xff" * 99,
        tarred("", files={"phonegate/__init__.py": "x" * (package_file.LARGEST_SOURCE + 1)}),
    ],
    # Not made from the bytes, which hold the time.
    ids=[
        "nothing",
        "a page",
        "no fields",
        "deep",
        "another program",
        "a version that is computed",
        "no source",
        "a cut zip",
        "a cut tar",
        "a length below 0",
        "no length",
        "too large",
    ],
)
def test_what_names_none(content: bytes) -> None:
    assert package_file.read(content) is None


@pytest.mark.parametrize(("limit", "least"), [("MOST_ENTRIES", -1), ("LARGEST_UNPACKED", 1)])
def test_an_archive_is_read_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, limit: str, least: int
) -> None:
    content = tarred("phonegate-9.8.7/")
    monkeypatch.setattr(package_file, limit, least)
    assert package_file.read(content) is None


@given(st.binary())
def test_any_bytes_are_read_or_not(content: bytes) -> None:
    for head in (b"", b"!<arch>\n", b"\x1f\x8b", b"PK\x03\x04"):
        package_file.read(head + content)


def test_nothing_of_a_file_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    text = f'open({str(trace)!r}, "w")\n__version__ = "9.8.7"\n'
    offer = package_file.read(zipped(files={"phonegate/__init__.py": text}))
    assert offer is not None
    assert not trace.exists()


def test_the_news_are_those_between_two_versions() -> None:
    text = "## [Unreleased]\n- a\n## [1.2.0] - x\n- b\n## 1.1.0\n- c\n## [1.0.0]\n- d\n"
    one, two = VersionNumber.read("1.0.0"), VersionNumber.read("1.2.0")
    assert one is not None
    assert two is not None
    assert news(text, one, two) == "## [1.2.0] - x\n- b\n\n## 1.1.0\n- c"
    assert news(text, two, two) == ""


def test_a_head_of_a_tar_that_unpacks_to_gigabytes_is_not_taken_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reader of Python takes an extended head (POSIX.1-2001, pax) into memory as a whole."""
    monkeypatch.setattr(package_file, "LARGEST_UNPACKED", 1 << 20)
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 1 << 30
    head = entry.tobuf(tarfile.USTAR_FORMAT)
    bomb = gzip.compress(head + b"\0" * (8 << 20))
    tracemalloc.start()
    try:
        assert package_file.read(bomb) is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 << 20
