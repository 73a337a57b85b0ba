"""The file on the disk: whose it is to read, and where it is written to."""

import os
from pathlib import Path

import pytest

from phonegate.model.storage_errors import MoveFailed
from tests.operations.moving_site import Filler, Site


def unseen(_done: int, _total: int) -> None:
    """Takes no notice of progress."""


async def test_what_an_earlier_try_has_left_is_for_its_owner_alone(
    here: Site, tmp_path: Path
) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    part = path.with_name("myorg.org.part")
    part.touch()
    part.chmod(0o644)
    await here.mover.export("myorg", path, unseen)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_to_look_where_a_file_would_be_leaves_all_as_it_is(
    here: Site, tmp_path: Path
) -> None:
    path = tmp_path / "myorg.org"
    part = path.with_name("myorg.org.part")
    await here.mover.look_at_place(path)
    assert not path.exists()
    assert not part.exists()
    part.write_text("an earlier try")
    await here.mover.look_at_place(path)
    assert part.read_text() == "an earlier try"
    part.unlink()
    part.symlink_to(tmp_path / "other")
    with pytest.raises(MoveFailed, match="can't be written"):
        await here.mover.look_at_place(path)
    assert not (tmp_path / "other").exists()


async def test_nothing_is_written_through_a_link(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    other = tmp_path / "other"
    other.write_text("another's")
    path = tmp_path / "myorg.org"
    path.with_name("myorg.org.part").symlink_to(other)
    with pytest.raises(MoveFailed, match="can't be written"):
        await here.mover.export("myorg", path, unseen)
    assert other.read_text() == "another's"


async def test_nothing_is_written_to_a_file_of_two_names(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    other = tmp_path / "other"
    other.write_text("another's")
    path = tmp_path / "myorg.org"
    path.with_name("myorg.org.part").hardlink_to(other)
    with pytest.raises(MoveFailed, match="can't be written"):
        await here.mover.export("myorg", path, unseen)
    assert other.read_text() == "another's"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
async def test_nothing_is_written_to_what_another_user_has_made(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "myorg.org"
    part = path.with_name("myorg.org.part")
    part.touch()
    os.chown(part, 65_534, 65_534)
    with pytest.raises(MoveFailed, match="can't be written"):
        await here.mover.export("myorg", path, unseen)
    assert part.read_bytes() == b""


async def test_a_database_of_another_version_is_not_read(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    await here.database.write(lambda tx: tx._connection.execute("PRAGMA user_version = 3"))
    with pytest.raises(MoveFailed, match="another version of phonegate"):
        await here.mover.export("myorg", tmp_path / "myorg.org", unseen)
    assert not (tmp_path / "myorg.org").exists()
