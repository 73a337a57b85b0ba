"""The owner's commands, over the real store and, as they are used, over both ways to it."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.carriers.registry import check_credentials, unusable_credentials
from phonegate.domain.accounts import Accounts
from phonegate.domain.assistants import Assistants
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    NotFound,
    Unauthorized,
)
from phonegate.model.storage_errors import DatabaseBusy, StoreError
from phonegate.operations.administration import Administration, offline
from phonegate.operations.control import Control, ControlRefused, ask
from phonegate.store.database import Database

SECRET = "my-own-secret-123"


def now_ms() -> int:
    return 1_700_000_000_000


def assistants_of(database: Database) -> Assistants:
    return Assistants(
        database,
        check=check_credentials,
        unusable=unusable_credentials,
        now_ms=now_ms,
        rate_limits=RateLimits(),
    )


async def test_orgs_and_keys_through_the_control_socket(
    database: Database, nursery: trio.Nursery
) -> None:
    accounts = Accounts(
        database,
        registration=Registration(forced="closed"),
        now_ms=now_ms,
        rate_limits=RateLimits(),
    )
    administration = Administration(accounts, assistants_of(database), database)
    await nursery.start(Control(database.path, administration.commands()).serve)

    async def do(command: str, **fields: Any) -> Mapping[str, Any]:
        return await trio.to_thread.run_sync(lambda: ask(database.path, command, **fields))

    async def authenticate(credential: str) -> str:
        principal = await accounts.authentication.authenticate(
            credential, org_name="myorg", address="192.0.2.1", scope="read"
        )
        return principal.org_name

    added = await do("org_add", org="myorg", secret=SECRET)
    assert added == {"org": "myorg", "secret": SECRET, "published": False}
    assert await authenticate(SECRET) == "myorg"
    with pytest.raises(ControlRefused, match="already") as caught:
        await do("org_add", org="myorg")
    assert caught.value.code == "conflict"
    generated = (await do("org_rotate", org="myorg"))["secret"]
    with pytest.raises(Unauthorized):
        await authenticate(SECRET)
    assert await authenticate(generated) == "myorg"
    assert await do("org_list") == {
        "orgs": [{"org": "myorg", "created_at": "2023-11-14T22:13:20Z"}]
    }

    key = await do("key_add", org="myorg", name="reader", scopes=["read"])
    assert await authenticate(key["key"]) == "myorg"
    rotated = await do("org_rotate", org="myorg", secret=SECRET)
    assert rotated["keys"] == [{"id": key["id"], "name": "reader"}]
    (listed,) = (await do("key_list", org="myorg"))["keys"]
    assert (listed["id"], listed["scopes"]) == (key["id"], ["read"])
    assert key["key"] not in str(listed)
    assert (await do("key_limit", org="myorg", id=key["id"], limits={"hold": True}))["limits"]
    await do("key_limit", org="myorg", id=key["id"], limits={"per_day": 5}, lift=["hold"])
    (listed,) = (await do("key_list", org="myorg"))["keys"]
    assert (listed["limits"]["per_day"], listed["limits"]["hold"]) == (5, False)
    with pytest.raises(ControlRefused, match="no API key"):
        await do("key_limit", org="myorg", id="nosuchid", limits={})
    wrong_limits: tuple[dict[str, Any], ...] = (
        {"limits": 5},
        {"limits": {"hold": 1}},
        {"limits": {"id": "x"}},
        {"lift": {"x": 1}},
        {"lift": ["everything"]},
    )
    for odd in wrong_limits:
        with pytest.raises(ControlRefused) as caught:
            await do("key_limit", org="myorg", id=key["id"], **odd)
        assert caught.value.code == "bad_input"
    await do("key_revoke", org="myorg", id=key["id"])
    with pytest.raises(Unauthorized):
        await authenticate(key["key"])
    with pytest.raises(ControlRefused, match="no API key"):
        await do("key_revoke", org="myorg", id=key["id"])
    with pytest.raises(ControlRefused, match="no API key of that id") as refused:
        await do("key_revoke", org="myorg", id=key["key"])
    assert key["key"] not in refused.value.detail

    await do("org_remove", org="myorg")
    with pytest.raises(ControlRefused, match="no org named myorg"):
        await do("key_list", org="myorg")
    for wrong in (
        {"command": "org_add"},
        {"command": "org_add", "org": 5},
        {"command": "key_list", "org": "\udcff"},
        {"command": "org_add", "org": "myorg", "secret": "short"},
        {"command": "backup", "file": "relative.db"},
        {"command": "backup", "file": "/", "keep": 0},
        {"command": "backup", "file": "/", "keep": "3"},
        {"command": "backup", "file": "/no/such/folder", "keep": 3},
    ):
        with pytest.raises(ControlRefused) as caught:
            await do(**wrong)
        assert caught.value.code == "bad_input"


async def test_assistants_through_the_control_socket(
    database: Database, nursery: trio.Nursery
) -> None:
    accounts, assistants = (
        Accounts(database, now_ms=now_ms, registration=Registration(), rate_limits=RateLimits()),
        assistants_of(database),
    )
    await accounts.orgs.add("myorg", SECRET)
    told: list[int] = []
    assistants.on_change = told.append
    administration = Administration(accounts, assistants, database)
    await nursery.start(Control(database.path, administration.commands()).serve)

    async def do(command: str, **fields: Any) -> Mapping[str, Any]:
        return await trio.to_thread.run_sync(lambda: ask(database.path, command, **fields))

    new: dict[str, Any] = {
        "org": "myorg",
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": ["+15551110001"],
        "credentials": {"api_key": "KEY0123456789"},
    }
    made = await do("assistant_add", **new)
    assert made == {
        "id": made["id"],
        "org": "myorg",
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": ["+15551110001"],
        "credentials": {"api_key": "…6789"},
        "created_at": "2023-11-14T22:13:20Z",
        "callback_url": None,
        "from_file": False,
    }
    assert await do("assistant_list", org="myorg") == {"assistants": [made]}
    assert await do("assistant_show", org="myorg", id=made["id"]) == made
    with pytest.raises(ControlRefused, match=r"\+15551110001 belongs to another") as caught:
        await do("assistant_add", **new)
    assert caught.value.code == "conflict"
    for wrong in (
        {"provider": "pigeon"},
        {"provider": None},
        {"phone_numbers": "+15551110001"},
        {"phone_numbers": [1]},
        {"phone_numbers": ["1"]},
        {"credentials": None},
        {"credentials": {"api_key": 5}},
        {"name": None},
        {"name": "\udcff"},
    ):
        with pytest.raises(ControlRefused) as caught:
            await do("assistant_add", **(new | wrong))
        assert caught.value.code == "bad_input"
    for unknown in ("1", 0, True, 2**70, None):
        with pytest.raises(ControlRefused) as caught:
            await do("assistant_remove", org="myorg", id=unknown)
        assert caught.value.code == "bad_input"
    assert await do("assistant_remove", org="myorg", id=made["id"]) == {"id": made["id"]}
    assert told == [made["id"]]
    ends = await do("assistant_add", **new)
    told.clear()
    await do("org_remove", org="myorg")
    assert told == [ends["id"]]
    await do("org_add", org="myorg")
    for command in ("assistant_remove", "assistant_show"):
        with pytest.raises(ControlRefused, match="No such assistant"):
            await do(command, org="myorg", id=made["id"])
    with pytest.raises(ControlRefused, match="no org named nobody"):
        await do("assistant_list", org="nobody")


async def test_backup_while_serving_tells_its_progress(
    database: Database, nursery: trio.Nursery, tmp_path: Path
) -> None:
    accounts = Accounts(
        database, now_ms=now_ms, registration=Registration(), rate_limits=RateLimits()
    )
    await accounts.orgs.add("myorg", SECRET)
    administration = Administration(accounts, assistants_of(database), database)
    await nursery.start(Control(database.path, administration.commands()).serve)
    target = tmp_path / "copy.db"
    answer = await trio.to_thread.run_sync(lambda: ask(database.path, "backup", file=str(target)))
    assert answer == {"file": str(target), "bytes": target.stat().st_size}
    with sqlite3.connect(target) as copied:
        assert copied.execute("SELECT count(*) FROM orgs").fetchone() == (1,)
    copied.close()
    with pytest.raises(ControlRefused) as caught:
        await trio.to_thread.run_sync(lambda: ask(database.path, "backup", file=str(target)))
    assert str(target) in str(caught.value)


def test_offline_does_the_same_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    answer = offline(path, "org_add", {"org": "myorg", "secret": SECRET})
    assert answer["secret"] == SECRET
    with pytest.raises(Conflict):
        offline(path, "org_add", {"org": "myorg"})
    with pytest.raises(NotFound):
        offline(path, "org_remove", {"org": "nobody"})
    with pytest.raises(BadInput):
        offline(path, "org_add", {"org": "x"})
    steps: list[tuple[int, int]] = []
    offline(path, "backup", {"file": str(tmp_path / "copy.db")}, lambda *step: steps.append(step))
    assert offline(tmp_path / "copy.db", "org_list", {})["orgs"][0]["org"] == "myorg"
    with pytest.raises(StoreError):
        offline(path, "backup", {"file": str(tmp_path / "copy.db")})


def test_offline_keeps_away_from_a_database_in_use(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    database = Database.open(path)
    with pytest.raises(DatabaseBusy):
        offline(path, "org_list", {})
    database.close()
