"""/usr/bin/phonegate: which configuration its commands read, and where its packages come from."""

import os
import sys
from pathlib import Path

import pytest

import phonegate.__main__
from release.deb import launcher


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service's configuration. The working folder is another one, and empty."""
    path = tmp_path / "etc.toml"
    path.touch()
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    monkeypatch.setattr(launcher, "CONFIG", str(path))
    monkeypatch.setattr(sys, "path", ["/stdlib", "/x/dist-packages", "/y/site-packages"])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setattr(phonegate.__main__, "main", lambda: 7)
    # Set and removed, so that it is as before after the test.
    monkeypatch.setenv(launcher.VARIABLE, "")
    return path


def run() -> str:
    assert launcher.main() == 7
    return os.environ[launcher.VARIABLE]


def unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)


def test_those_who_may_read_the_service_s_file_use_it_from_any_folder(service: Path) -> None:
    Path("gateway.toml").touch()
    assert run() == str(service)


def test_others_get_it_too_so_that_the_error_names_it(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(monkeypatch)
    assert run() == str(service)


def test_others_with_a_file_of_their_own_use_that(
    service: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable(monkeypatch)
    Path("gateway.toml").touch()
    assert run() == ""


def test_a_file_that_is_named_is_the_one(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(launcher.VARIABLE, "mine.toml")
    assert run() == "mine.toml"


def test_without_the_service_s_file_it_is_as_everywhere(service: Path) -> None:
    service.unlink()
    assert run() == ""


def test_its_packages_come_before_those_of_debian_and_after_python_s(service: Path) -> None:
    run()
    assert sys.path[:3] == ["/stdlib", launcher.PACKAGES, "/x/dist-packages"]
