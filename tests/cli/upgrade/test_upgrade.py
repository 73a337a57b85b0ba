"""`phonegate upgrade`, with files and servers of ours."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast, get_args

import pytest

import phonegate
from phonegate.cli import main
from phonegate.cli.failure import Failure
from phonegate.cli.installation import Installation, Way
from phonegate.cli.service import places
from phonegate.cli.upgrade import source
from phonegate.cli.upgrade.instructions import instructions
from phonegate.operations import schema_steps
from tests.cli.upgrade.test_package_file import FILES, zipped

OWN = phonegate.__version__


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PHONEGATE_CONFIG", raising=False)
    return tmp_path


def offered(folder: Path, version: str = "9.8.7", steps: int = schema_steps.KNOWN) -> str:
    path = folder / "new.whl"
    changed = {
        "phonegate/__init__.py": f'__version__ = "{version}"\n',
        "phonegate/store/migrations.py": f"STEPS = ({'0,' * steps})\n",
    }
    path.write_bytes(zipped(files={**FILES, **changed}))
    return str(path)


def check(capsys: pytest.CaptureFixture[str], place: str, *more: str) -> tuple[int, str, str]:
    code = main(["upgrade", "--check", place, *more])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_newer_file_is_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "gateway.toml").write_text('[http]\nbind = ["127.0.0.1:1"]\ndrain_s = 5\n')
    code, out, _ = check(capsys, offered(folder, steps=schema_steps.KNOWN + 1))
    assert code == 10
    assert f"phonegate 9.8.7 is newer than {OWN}" in out
    assert "its first start changes it" in out
    assert "[http] drain_s in gateway.toml is gone" in out
    assert "## [9.8.7] - 2027-01-01\n- New.\n" in out
    assert "- Old." not in out
    assert "To upgrade:" in out


def test_the_same_and_an_older_one_are_no_upgrade(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = check(capsys, offered(folder, OWN))
    assert (code, "nothing newer" in out) == (0, True)
    code, out, _ = check(capsys, offered(folder, "0.0.1"))
    assert (code, "is older than" in out, "To upgrade" in out) == (0, True, False)


def test_a_database_of_a_later_version_is_seen(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect("phonegate.db")) as database:
        database.execute("CREATE TABLE x (y)")
        database.execute(f"PRAGMA user_version = {schema_steps.KNOWN}")
    code, out, _ = check(capsys, offered(folder, "0.0.1", schema_steps.KNOWN - 1), "--json")
    seen = json.loads(out)
    assert (code, seen["newer"], seen["database_unusable"]) == (0, False, True)
    _, out, _ = check(capsys, offered(folder), "--json")
    assert (json.loads(out)["migrates"], json.loads(out)["newer"]) == (False, True)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("nothing.pyz", "There is no file nothing.pyz."),
        (".", ". is a folder: name a file in it."),
        ("ftp://example.org/x", "name a file, or an address of https"),
        ("http://8.8.8.8/x", "http://8.8.8.8/x is not https, and 8.8.8.8 is not in a private"),
    ],
)
def test_what_is_not_asked(place: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = check(capsys, place)
    assert (code, sentence in err) == (1, True)


def test_a_proxy_that_can_t_be_used_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("all_proxy", "gopher://127.0.0.1:9")
    code, _, err = check(capsys, "https://example.org/phonegate.pyz")
    assert (code, "ALL_PROXY" in err) == (1, True)


@contextmanager
def serving(answers: dict[str, tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers[self.path]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """The test's own output is the log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_an_address_of_the_own_network_is_asked_with_a_remark(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy of the environment must not come between us and this machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    answers = {
        "/latest": (302, {"Location": "/release"}, b""),
        "/release": (200, {}, b'{"tag_name": "v9.8.7"}'),
        "/gone": (404, {}, b""),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/out": (302, {"Location": "http://8.8.8.8/"}, b""),
        "/other": (200, {}, b"<html>"),
    }
    with serving(answers) as url:
        code, out, err = check(capsys, f"{url}/latest")
        assert (code, "9.8.7 is newer" in out, "can't be seen here" in out) == (10, True, True)
        assert "was asked without encryption" in err
        assert "answered HTTP 404" in check(capsys, f"{url}/gone")[2]
        assert "leads on more than 3 times" in check(capsys, f"{url}/loop")[2]
        assert "8.8.8.8 is not in a private network" in check(capsys, f"{url}/out")[2]
        assert "names no version" in check(capsys, f"{url}/other")[2]


def test_a_download_has_limits(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    answers = {"/": (200, {}, b"x" * 5000), "/loop": (302, {"Location": "/loop"}, b"")}
    with serving(answers) as url:
        monkeypatch.setattr(source, "LARGEST", 4999)
        with pytest.raises(Failure, match="is larger than"):
            source.take(f"{url}/")
        monkeypatch.setattr(source, "LARGEST", 5000)
        monkeypatch.setattr(source, "DEADLINE_S", -1)
        for path in ("/", "/loop"):
            with pytest.raises(Failure, match="did not end within"):
                source.take(url + path)
    (folder / "large").write_bytes(b"x" * 5001)
    with pytest.raises(Failure, match="is larger than"):
        source.take("large")


def installed(way: Way, **more: Any) -> Installation:
    return Installation(
        way=way, place=Path("/opt/x"), program=("/opt/x/phonegate",), code=(), **more
    )


def test_each_way_has_its_own_commands() -> None:
    shown = {way: instructions(installed(way), service=None) for way in get_args(Way)}
    assert all(shown.values())
    assert len({tuple(lines) for lines in shown.values()}) == len(shown)
    assert shown["deb"] == ["sudo apt install ./phonegate_NEW_all.deb"]
    machine = places.of_machine()
    service = instructions(installed("zipapp"), service=machine, file="/tmp/phonegate.pyz")
    assert service == ["sudo python3 /tmp/phonegate.pyz service install"]
    venv = instructions(installed("venv"), service=machine, file="new.whl")
    assert venv == [
        "sudo phonegate backup /var/backups/phonegate",
        "/opt/x/bin/pip install --upgrade new.whl",
        "sudo systemctl restart phonegate",
    ]


def test_the_copy_is_made_by_the_command_that_the_person_has() -> None:
    for way, copy in {
        "zipapp": "/opt/x/phonegate backup COPY.db",
        "venv": "/opt/x/phonegate backup COPY.db",
        "pipx": "phonegate backup COPY.db",
        "container": "docker compose exec phonegate phonegate backup /data/COPY.db",
    }.items():
        assert instructions(installed(cast(Way, way)), service=None)[0] == copy


def test_a_service_of_the_own_user_is_upgraded_without_root() -> None:
    own = places.of_user(Path("/home/a"), {})
    assert instructions(installed("zipapp"), service=own) == [
        "python3 NEW.pyz service install --user"
    ]
    assert instructions(installed("pipx"), service=own) == [
        "phonegate backup /home/a/.local/share/phonegate/backups"
        " --config /home/a/.config/phonegate/gateway.toml",
        "pipx upgrade phonegate",
        "systemctl --user restart phonegate",
    ]


@pytest.mark.parametrize("option", ["", "-e "])
def test_what_came_from_a_clone_is_upgraded_from_it(option: str) -> None:
    clone = installed("venv", clone=Path("/home/a/my clone"), editable=bool(option))
    assert instructions(clone, service=None)[1:3] == [
        "git -C '/home/a/my clone' pull",
        f"/opt/x/bin/pip install --upgrade {option}'/home/a/my clone'",
    ]
    assert "/opt/x/bin/pip install --upgrade new.whl" in instructions(
        clone, service=None, file="new.whl"
    )


def test_without_a_file_the_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade"]) == 0
    assert "To upgrade:\n" in capsys.readouterr().out
    assert main(["upgrade", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == OWN
