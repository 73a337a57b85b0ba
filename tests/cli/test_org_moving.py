"""An org from one file of a gateway that is not running to another's, by commands."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from phonegate.cli import main, org_moving

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)


def test_an_org_goes_from_one_file_to_another(capsys: Output, tmp_path: Path) -> None:
    assert main(["org", "add", "shop"]) == 0
    assert main(["key", "add", "shop", "app"]) == 0
    capsys.readouterr()
    assert main(["org", "export", "shop", "copy.org"]) == 0
    output, hints = capsys.readouterr()
    assert output.startswith(f"{tmp_path / 'copy.org'}  0 messages  0.0 MB")
    assert "use --move" in hints
    assert main(["org", "list"]) == 0
    assert "suspended" not in capsys.readouterr().out

    assert main(["org", "export", "shop", "shop.org", "--move"]) == 0
    output, hints = capsys.readouterr()
    assert "shop is not served now" in hints
    assert "Lead phones and callers of shop there. Then, here: phonegate org remove shop" in hints
    assert main(["org", "import", "shop.org"]) == 1
    assert "To serve it here: phonegate org resume shop" in capsys.readouterr().err
    assert main(["org", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("suspended")
    (one,) = _listed(capsys, "phonegate.db")
    assert one["suspended_at"] is not None

    there = ("--database", "there.db")
    assert main(["org", "import", "shop.org", "--json", *there]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done == {"org": "shop", "messages": 0, "shifted": {}}
    (one,) = _listed(capsys, "there.db")
    assert (one["org"], one["suspended_at"]) == ("shop", None)
    assert main(["key", "list", "shop", *there]) == 0
    assert "app" in capsys.readouterr().out
    assert main(["org", "import", "shop.org", *there]) == 1
    assert "There is an org named shop already, and it is served." in capsys.readouterr().err
    assert main(["org", "remove", "shop", "--yes"]) == 0


def _listed(capsys: Output, database: str) -> list[dict[str, object]]:
    assert main(["org", "list", "--json", "--database", database]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["orgs"]
    return found


def test_a_file_for_reading_is_written_and_never_taken_in(capsys: Output) -> None:
    assert main(["org", "add", "shop"]) == 0
    order = ["org", "export", "shop", "read.org", "--without-credentials"]
    capsys.readouterr()
    assert main([*order, "--move"]) == 2
    assert "leave out --move" in capsys.readouterr().err
    assert _listed(capsys, "phonegate.db")[0]["suspended_at"] is None
    assert main(order) == 0
    hints = capsys.readouterr().err
    assert "for reading" in hints
    assert "--move" not in hints
    assert main(["org", "import", "read.org", "--database", "there.db"]) == 1
    assert "exported without credentials" in capsys.readouterr().err
    assert _listed(capsys, "there.db") == []


def test_ids_that_not_every_phone_can_keep_are_asked_for_by_name(capsys: Output) -> None:
    assert main(["org", "add", "shop"]) == 0
    with closing(sqlite3.connect("phonegate.db")) as connection, connection:
        connection.execute("INSERT INTO sqlite_sequence VALUES ('messages', ?)", (2**31,))
    assert main(["org", "export", "shop", "shop.org"]) == 0
    order = ["org", "import", "shop.org", "--database", "there.db"]
    assert main(order) == 1
    assert "--large-ids" in capsys.readouterr().err
    assert _listed(capsys, "there.db") == []
    assert main([*order, "--large-ids"]) == 0


def test_an_org_is_suspended_and_resumed(capsys: Output) -> None:
    assert main(["org", "add", "shop"]) == 0
    assert main(["org", "suspend", "shop"]) == 0
    assert "phonegate org resume shop" in capsys.readouterr().out
    assert main(["org", "suspend", "shop"]) == 0
    assert main(["org", "resume", "shop"]) == 0
    assert main(["org", "resume", "shop"]) == 0
    capsys.readouterr()
    assert _listed(capsys, "phonegate.db")[0]["suspended_at"] is None
    for word in ("suspend", "resume"):
        assert main(["org", word, "other"]) == 1
        assert "no org named other" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["suspend", "shop"], ["export", "shop", "a.org", "--move"]])
def test_who_interrupts_a_suspension_is_led_back(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    def interrupted(_config: object, _database: object, method: str, *_: object) -> None:
        if method == "PUT":
            raise KeyboardInterrupt

    monkeypatch.setattr(org_moving, "carry_out", interrupted)
    assert main(["org", *words]) != 0
    assert "Serve it again: phonegate org resume shop" in capsys.readouterr().err


def test_what_goes_wrong_says_what_to_do(capsys: Output, tmp_path: Path) -> None:
    assert main(["org", "add", "shop"]) == 0
    (tmp_path / "there.org").write_text("mine")
    (tmp_path / "kept.org").write_text("mine")
    capsys.readouterr()
    for file, words in (("kept.org", "Name another file."), ("no/folder.org", "Make it, or")):
        assert main(["org", "export", "shop", file, "--move"]) == 1
        hints = capsys.readouterr().err
        assert words in hints
        assert "suspended" not in hints
        assert _listed(capsys, "phonegate.db")[0]["suspended_at"] is None
    assert main(["org", "export", "other", "other.org"]) == 1
    assert "no org named other. `phonegate org list`" in capsys.readouterr().err
    assert main(["org", "export", "other", "other.org", "--move"]) == 1
    assert "no org named other" in capsys.readouterr().err
    assert main(["org", "export", "shop", "no/folder.org"]) == 1
    assert f"its folder {tmp_path / 'no'} is not there" in capsys.readouterr().err
    assert main(["org", "import", "none.org"]) == 1
    assert "There is no file" in capsys.readouterr().err
    assert main(["org", "import", "there.org"]) == 1
    assert "no file of an org" in capsys.readouterr().err
    assert (tmp_path / "kept.org").read_text() == "mine"
    assert [one["org"] for one in _listed(capsys, "phonegate.db")] == ["shop"]


def test_a_move_that_ends_before_its_file_is_whole_says_how_to_go_on(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["org", "add", "shop"]) == 0

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["org", "export", "shop", "shop.org", "--move"]) == 1
    hints = capsys.readouterr().err
    assert "No space left on device" in hints
    assert "shop is still suspended" in hints
    assert "go on with shop.org.part, or" in hints
    assert Path("shop.org.part").exists()
    assert "phonegate org resume shop" in hints
