"""The wheel and the sdist: complete, and the same whoever builds them."""

import email
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import phonegate
from phonegate.cli.upgrade import package_file
from release.checksums import digest_of
from tests.release.conftest import BUILD_S, ROOT
from tests.release.pythons import found

NAME = f"phonegate-{phonegate.__version__}"


def build(root: Path, output: Path, umask: int = 0o022, python: str = sys.executable) -> None:
    subprocess.run(
        [python, "-W", "error", "-m", "release", "--only", "wheel", "--output", output],
        check=True,
        timeout=BUILD_S,
        capture_output=True,
        umask=umask,
        cwd=root,
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("dist")
    build(ROOT, output)
    return output


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(dist / f"{NAME}-py3-none-any.whl") as archive:
        yield archive


@pytest.fixture(scope="module")
def sdist(dist: Path) -> Iterator[tarfile.TarFile]:
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        yield archive


def tracked() -> set[str]:
    """The files of the repository, or of the unpacked sdist that these tests run in."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_sdist_is_the_repository(sdist: tarfile.TarFile) -> None:
    inside = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    assert inside == tracked() | {"PKG-INFO"}


def test_the_wheel_has_the_program_with_all_its_files_and_nothing_else(
    wheel: zipfile.ZipFile,
) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == {name for name in tracked() if name.startswith("phonegate/")}
    assert "phonegate/py.typed" in inside
    assert any(name.startswith("phonegate/pages/templates/") for name in inside)


def test_the_wheel_has_what_an_upgrade_shows_of_it(dist: Path) -> None:
    offer = package_file.read((dist / f"{NAME}-py3-none-any.whl").read_bytes())
    assert offer is not None
    assert offer.changelog == (ROOT / "CHANGELOG.md").read_text()


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    said = email.message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (said["Name"], said["Version"]) == ("phonegate", phonegate.__version__)
    assert said["License-Expression"] == "MIT"
    assert said["Requires-Python"] == ">=3.11"
    assert said["Description-Content-Type"] == "text/markdown"
    assert set(said.get_all("Provides-Extra", [])) == set(project["optional-dependencies"])
    commands = wheel.read(f"{NAME}.dist-info/entry_points.txt").decode()
    assert "phonegate = phonegate.cli:main" in commands
    assert f"{NAME}.dist-info/licenses/LICENSE" in wheel.namelist()


def test_the_unpacked_sdist_another_umask_and_python_build_the_same(
    dist: Path, sdist: tarfile.TarFile, tmp_path: Path
) -> None:
    python = found("3.13") or Path(sys.executable)
    sdist.extraction_filter = getattr(tarfile, "data_filter", None)
    sdist.extractall(tmp_path)
    again = tmp_path / "again"
    build(tmp_path / NAME, again, umask=0o077, python=str(python))
    for path in (dist / f"{NAME}-py3-none-any.whl", dist / f"{NAME}.tar.gz"):
        assert digest_of(again / path.name) == digest_of(path), path.name
