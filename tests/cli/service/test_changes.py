"""What the steps of an installation leave on the disk."""

from pathlib import Path

import pytest

from phonegate.cli.service import changes
from phonegate.cli.service.manager import Manager
from phonegate.cli.service.steps import MakeFolder, PlaceProgram, Remove, Step, WriteFile


def carry_out(folder: Path, *steps: Step) -> None:
    changes.carry_out(steps, Manager(of_user=True), folder / "phonegate.db")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_program_that_was_there_can_be_gone_back_to(tmp_path: Path) -> None:
    new, place, previous = (tmp_path / name for name in ("new", "program", "previous"))
    step = PlaceProgram(new, place, previous)
    new.write_bytes(b"one")
    carry_out(tmp_path, step)
    assert place.read_bytes() == b"one"
    assert not previous.exists()
    new.write_bytes(b"two")
    carry_out(tmp_path, step)
    assert (place.read_bytes(), previous.read_bytes()) == (b"two", b"one")
    # The way back: what is run and placed is the previous one itself.
    carry_out(tmp_path, PlaceProgram(previous, place, previous))
    assert (place.read_bytes(), previous.read_bytes()) == (b"one", b"two")
    assert mode(place) == mode(previous) == 0o644


def test_a_file_has_its_mode_and_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    for text, wanted in (("first", 0o600), ("second", 0o644)):
        carry_out(tmp_path, WriteFile(path, text, wanted))
        assert (path.read_text(), mode(path)) == (text, wanted)
    with pytest.raises(UnicodeEncodeError):
        carry_out(tmp_path, WriteFile(path, "\ud800", 0o644))
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "folder"
    carry_out(tmp_path, MakeFolder(folder, 0o700))
    assert mode(folder) == 0o700
    carry_out(tmp_path, MakeFolder(folder, 0o755))
    assert mode(folder) == 0o700


def test_what_is_removed_is_not_what_a_link_leads_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    link = tmp_path / "link"
    link.symlink_to(kept)
    carry_out(tmp_path, Remove(link), Remove(tmp_path / "none"))
    assert (kept / "file").exists()
    assert not link.is_symlink()
