"""Files without credentials: what their readers get, and that no gateway takes them in."""

import gzip
import json
from pathlib import Path

import pytest

from phonegate.model.storage_errors import MoveFailed
from phonegate.store.moving.contents import every_part, without_credentials
from tests.operations.moving_site import Filler, Site, read


def unseen(_done: int, _total: int) -> None:
    """Takes no notice of progress."""


async def test_all_but_credentials_is_in_the_file(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path, whole = tmp_path / "read.org", tmp_path / "whole.org"
    await here.mover.export("myorg", path, unseen, credentials=False)
    await here.mover.export("myorg", whole, unseen)
    text = gzip.decompress(path.read_bytes()).decode()
    everything = gzip.decompress(whole.read_bytes()).decode()
    (hashed,) = here.rows("SELECT secret_hash FROM orgs")[0]
    assert hashed in everything
    assert hashed not in text
    head, content = read(path)
    _, complete = read(whole)
    kept = {part.table: part for top in without_credentials() for part in (top, *top.children)}
    assert set(content) == set(kept)
    for table, rows in content.items():
        columns = [name for name in every_part()[table].columns if name != "org"]
        places = [columns.index(name) for name in head.tables[table]]
        assert rows == [[row[place] for place in places] for row in complete[table]], table
    assert path.stat().st_mode & 0o777 == 0o600


async def test_the_file_says_first_that_it_is_for_reading(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "read.org"
    await here.mover.export("myorg", path, unseen, credentials=False)
    first = json.loads(gzip.decompress(path.read_bytes()).splitlines()[0])
    assert list(first)[:2] == ["phonegate_org", "note"]
    assert "for reading" in first["note"]


async def test_no_gateway_takes_it_in(here: Site, there: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    path = tmp_path / "read.org"
    await here.mover.export("myorg", path, unseen, credentials=False)
    with pytest.raises(MoveFailed, match="without credentials"):
        await there.mover.take_in(path, unseen)
    assert there.rows("SELECT * FROM orgs") == []


@pytest.mark.parametrize("credentials", [True, False])
async def test_a_file_of_one_kind_never_goes_on_with_one_of_the_other(
    here: Site, tmp_path: Path, *, credentials: bool
) -> None:
    await Filler(here, "mine").fill("myorg")
    await here.accounts.moves.suspend("myorg")
    path = tmp_path / "one.org"
    await here.mover.export("myorg", path, unseen, credentials=not credentials)
    # As a crash leaves it right before the end.
    path.rename(path.with_name("one.org.part"))
    made = await here.mover.export("myorg", path, unseen, credentials=credentials)
    assert not made.resumed
    assert (read(path)[0].note is None) is credentials


async def test_an_export_for_reading_goes_on_where_it_was(here: Site, tmp_path: Path) -> None:
    await Filler(here, "mine").fill("myorg")
    await here.accounts.moves.suspend("myorg")
    path = tmp_path / "one.org"
    await here.mover.export("myorg", path, unseen, credentials=False)
    before = path.read_bytes()
    path.rename(path.with_name("one.org.part"))
    assert (await here.mover.export("myorg", path, unseen, credentials=False)).resumed
    assert path.read_bytes() == before
