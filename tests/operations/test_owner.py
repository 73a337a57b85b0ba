"""What the owner may do, over the real store and, as it is used, over both ways to it."""

import json
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from phonegate.config.settings import Settings
from phonegate.model.facts import AssistantChanged
from phonegate.model.refusals import Unauthorized
from phonegate.model.storage_errors import DatabaseBusy, StorageUnavailable
from phonegate.model.times import iso
from phonegate.operations import offline
from phonegate.operations.app import OperatorApp
from phonegate.operations.control import Control
from phonegate.operations.control_client import ControlRefused, OwnerRequest, ask
from phonegate.operations.owner import AUTHORIZATION, owner_pipeline
from phonegate.operations.owner_api import OwnerEndpoints
from phonegate.store.database import Database
from tests.api.conftest import NOW, Web, database, web
from tests.buses import bus_of, heard

__all__ = ["database", "web"]

SECRET = "my-own-secret-123"
CREATED = iso(NOW)

Do = Callable[..., Awaitable[Mapping[str, Any]]]


@pytest.fixture
async def do(web: Web, nursery: trio.Nursery) -> Do:
    """Does something through the control socket."""
    pipeline = owner_pipeline(web.services, OwnerEndpoints(web.database).endpoints())
    control = Control(web.database.path, lambda: OperatorApp(pipeline, AUTHORIZATION))
    await nursery.start(control.serve)

    async def do(method: str, target: str, body: Any = None, **more: Any) -> Mapping[str, Any]:
        command = OwnerRequest(method, target, body)
        return await trio.to_thread.run_sync(lambda: ask(web.database.path, command, **more))

    return do


async def refused(do: Do, code: str, *request: Any) -> ControlRefused:
    with pytest.raises(ControlRefused) as caught:
        await do(*request)
    assert caught.value.code == code, request
    return caught.value


async def test_orgs_and_keys(web: Web, do: Do) -> None:
    async def authenticate(credential: str) -> str:
        principal = await web.services.accounts.authentication.authenticate(
            credential, org_name="shop", address="192.0.2.1", scope="read"
        )
        return principal.org_name

    added = await do("POST", "/orgs", {"org": "shop", "secret": SECRET})
    assert added == {"org": "shop", "secret": SECRET, "published": False}
    assert await authenticate(SECRET) == "shop"
    assert "already" in str(await refused(do, "conflict", "POST", "/orgs", {"org": "shop"}))
    generated = (await do("POST", "/orgs/shop/secret", {}))["secret"]
    with pytest.raises(Unauthorized):
        await authenticate(SECRET)
    assert await authenticate(generated) == "shop"
    _, shop = (await do("GET", "/orgs"))["orgs"]
    assert (shop["org"], shop["created_at"]) == ("shop", CREATED)
    assert shop["account_sid"] == "AC00000000000000000000000000000002"

    key = await do("POST", "/keys/shop", {"name": "reader", "scopes": ["read"]})
    assert await authenticate(key["key"]) == "shop"
    new = {"url": "https://example.org/sms", "events": ["*"], "name": "crm"}
    hook = (await do("POST", "/webhooks/shop", new))["webhook"]["id"]
    called = {"name": "alerts", "mapping": {"to": ["{to}"], "text": "{text}"}}
    called_id = (await do("POST", "/hooks/of/shop", called))["hook"]["id"]
    rotated = await do("POST", "/orgs/shop/secret", {"secret": SECRET})
    assert rotated["hooks"] == [{"id": called_id, "name": "alerts"}]
    assert rotated["webhooks"] == [{"id": hook, "name": "crm", "url": new["url"]}]
    assert rotated["keys"] == [{"id": key["id"], "name": "reader"}]
    (listed,) = (await do("GET", "/keys/shop"))["keys"]
    assert (listed["id"], listed["scopes"]) == (key["id"], ["read"])
    assert key["key"] not in str(listed)
    path = f"/keys/shop/{key['id']}"
    assert (await do("PATCH", path, {"limits": {"hold": True}}))["key"]["limits"]["hold"]
    await do("PATCH", path, {"limits": {"per_day": 5}})
    (listed,) = (await do("GET", "/keys/shop"))["keys"]
    assert (listed["limits"]["per_day"], listed["limits"]["hold"]) == (5, False)
    no_key = "/keys/shop/nosuchid"
    assert "No such key" in str(await refused(do, "not_found", "PATCH", no_key, {"limits": {}}))
    wrong_limits: tuple[dict[str, Any], ...] = (
        {"limits": 5},
        {"limits": {"hold": 1}},
        {"limits": {"id": "x"}},
        {"limits": {}, "lift": ["everything"]},
    )
    for wrong in wrong_limits:
        await refused(do, "bad_input", "PATCH", path, wrong)
    await do("DELETE", path)
    with pytest.raises(Unauthorized):
        await authenticate(key["key"])
    assert "No such key" in str(await refused(do, "not_found", "DELETE", path))
    whole = await refused(do, "not_found", "DELETE", f"/keys/shop/{key['key']}")
    assert key["key"] not in whole.detail

    await do("DELETE", "/orgs/shop")
    assert "no org named shop" in str(await refused(do, "not_found", "GET", "/keys/shop"))
    for request in (
        ("POST", "/orgs", {}),
        ("POST", "/orgs", {"org": 5}),
        ("POST", "/orgs", {"org": "\udcff"}),
        ("POST", "/orgs", {"org": "shop", "secret": "short"}),
        ("PUT", "/registration", {"mode": "half"}),
        ("POST", "/backups", {"file": "relative.db"}),
        ("POST", "/backups", {"file": "/", "keep": 0}),
        ("POST", "/backups", {"file": "/", "keep": "3"}),
        ("POST", "/backups", {"file": "/no/such/folder", "keep": 3}),
    ):
        await refused(do, "bad_input", *request)


async def test_of_a_suspended_org_all_is_shown_and_nothing_is_changed(web: Web, do: Do) -> None:
    """The file by which it moves may be written already."""
    await do("POST", "/orgs", {"org": "shop", "secret": SECRET})
    key = await do("POST", "/keys/shop", {"name": "reader", "scopes": ["read"]})
    shown = ("/keys/shop", "/webhooks/shop", "/phones/shop", "/messages/shop")
    before = [await do("GET", path) for path in shown]
    await web.services.accounts.moves.suspend("shop")
    hook = {"url": "https://example.org/sms", "events": ["*"], "name": "crm"}
    for request in (
        ("POST", "/keys/shop", {"name": "late", "scopes": ["read"]}),
        ("DELETE", f"/keys/shop/{key['id']}"),
        ("POST", "/webhooks/shop", hook),
        ("POST", "/orgs/shop/secret", {}),
        ("PATCH", "/orgs/shop", {"default_country": "DE"}),
    ):
        said = await refused(do, "conflict", *request)
        assert "first: phonegate org resume shop" in said.detail, request
    assert [await do("GET", path) for path in shown] == before
    await web.services.accounts.moves.resume("shop")
    await do("DELETE", f"/keys/shop/{key['id']}")
    await do("POST", "/orgs/shop/secret", {})
    await web.services.accounts.moves.suspend("shop")
    await do("DELETE", "/orgs/shop")


async def test_assistants(web: Web, do: Do) -> None:
    await web.make_org("shop", SECRET)
    ended = heard(bus_of(web.database), AssistantChanged)
    new: dict[str, Any] = {
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": ["+15551110001"],
        "credentials": {"api_key": "KEY0123456789"},
    }
    made = (await do("POST", "/assistants?org_id=shop", new))["assistant"]
    assert made.pop("callback_url").startswith("https://")
    assert made == {
        "id": made["id"],
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": ["+15551110001"],
        "credentials": {"api_key": "…6789"},
        "created_at": CREATED,
        "from_file": False,
    }
    (listed,) = (await do("GET", "/assistants?org_id=shop"))["assistants"]
    one = f"/assistants/{made['id']}?org_id=shop"
    assert listed == (await do("GET", one))["assistant"]
    assert made.items() <= listed.items()
    again = await refused(do, "conflict", "POST", "/assistants?org_id=shop", new)
    assert "+15551110001 belongs to another" in str(again)
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
        await refused(do, "bad_input", "POST", "/assistants?org_id=shop", new | wrong)
    (unsigned,) = (await do("GET", "/unsigned_callbacks"))["assistants"]
    assert (unsigned["org"], unsigned["name"]) == ("shop", "support")
    assert "public_key" in unsigned["reason"]
    assert await do("DELETE", one) == {"id": made["id"]}
    assert ended == [AssistantChanged(made["id"])]
    ends = (await do("POST", "/assistants?org_id=shop", new))["assistant"]
    ended.clear()
    await do("DELETE", "/orgs/shop")
    assert ended == [AssistantChanged(ends["id"])]
    await do("POST", "/orgs", {"org": "shop"})
    for method in ("DELETE", "GET"):
        assert "No such assistant" in str(await refused(do, "not_found", method, one))
    nobody = await refused(do, "not_found", "GET", "/assistants?org_id=nobody")
    assert "no org named nobody" in str(nobody)
    await refused(do, "bad_input", "GET", "/assistants")


async def test_the_owner_acts_for_every_org(web: Web, do: Do) -> None:
    await web.make_org("shop", SECRET)
    sms = {"address": "+15551112222", "body": "hello", "date": 1}
    await do("POST", "/webhook", {"org_id": "shop", "messages": [sms]})
    (message,) = (await do("GET", "/messages/shop"))["messages"]
    assert message["body"] == "hello"
    # Nor does the owner make an org by a slip of the name.
    lost = {"org_id": "sshop", "messages": [sms]}
    await refused(do, "not_found", "POST", "/webhook", lost)


async def test_nobody_else_may_do_what_the_owner_may(web: Web) -> None:
    await web.make_org("shop", SECRET)
    assert (await web.call("GET", "/orgs", secret=SECRET)).status == 404
    endpoints = OwnerEndpoints(web.database).endpoints()
    authentication = web.services.accounts.authentication
    for endpoint in endpoints:
        assert endpoint.scope == "owner"
    for credential in (SECRET, AUTHORIZATION.removeprefix("Bearer ")):
        reply = await web.call("GET", "/messages/shop", secret=credential)
        assert reply.status == (200 if credential == SECRET else 401)
        with pytest.raises(Exception, match="Only the gateway's owner"):
            await authentication.authenticate(
                credential, org_name="shop", address="192.0.2.1", scope="owner"
            )


async def test_backup_while_serving_reports_its_progress(web: Web, do: Do, tmp_path: Path) -> None:
    await web.make_org("shop", SECRET)
    target = tmp_path / "copy.db"
    steps: list[tuple[int, int]] = []

    def progress(*step: int) -> None:
        steps.append((step[0], step[1]))

    request = ("POST", "/backups", {"file": str(target)})
    answer = await do(*request, progress=progress)
    assert answer == {"file": str(target), "bytes": target.stat().st_size}
    assert steps[-1][0] == steps[-1][1]
    with sqlite3.connect(target) as copied:
        assert copied.execute("SELECT count(*) FROM orgs").fetchone() == (2,)
    copied.close()
    with pytest.raises(ControlRefused) as caught:
        await do(*request, progress=progress)
    assert str(target) in str(caught.value)
    assert caught.value.code == "storage"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 300, "File name too long"),
        ("file/x.db", "Not a directory"),
        ("loop/x.db", "symbolic"),
    ],
)
async def test_backup_to_no_usable_path_says_why(
    do: Do, tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    target = tmp_path / name
    with pytest.raises(ControlRefused) as caught:
        await do("POST", "/backups", {"file": str(target)}, progress=lambda *_: None)
    assert caught.value.code == "storage"
    assert str(caught.value).startswith(f"{target}: it can't be written (")
    assert reason in str(caught.value)


def do_offline(path: Path, *request: Any, **more: Any) -> Mapping[str, Any]:
    return offline.carry_out(Settings(), path, OwnerRequest(*request), **more)


def test_offline_does_the_same_on_the_file(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    answer = do_offline(path, "POST", "/orgs", {"org": "shop", "secret": SECRET})
    assert answer["secret"] == SECRET
    for code, *request in (
        ("conflict", "POST", "/orgs", {"org": "shop"}),
        ("not_found", "DELETE", "/orgs/nobody"),
        ("bad_input", "POST", "/orgs", {"org": "x"}),
    ):
        with pytest.raises(ControlRefused) as caught:
            do_offline(path, *request)
        assert caught.value.code == code
    steps: list[tuple[int, int]] = []
    copy = {"file": str(tmp_path / "copy.db")}
    do_offline(path, "POST", "/backups", copy, progress=lambda *step: steps.append(step))
    assert steps[-1][0] == steps[-1][1]
    assert do_offline(tmp_path / "copy.db", "GET", "/orgs")["orgs"][0]["org"] == "shop"
    with pytest.raises(ControlRefused, match="there is something of this name"):
        do_offline(path, "POST", "/backups", copy)


def test_offline_keeps_away_from_a_database_in_use(tmp_path: Path) -> None:
    path = tmp_path / "phonegate.db"
    database = Database.open(path)
    with pytest.raises(DatabaseBusy):
        do_offline(path, "GET", "/orgs")
    database.close()


async def test_the_socket_speaks_http(web: Web, do: Do) -> None:
    await do("POST", "/orgs", {"org": "shop"})
    program = ["curl", "-s", "--unix-socket", f"{web.database.path}.sock", "http://gateway/orgs"]
    done = await trio.run_process(program, capture_stdout=True)
    assert [one["org"] for one in json.loads(done.stdout)["orgs"]] == ["myorg", "shop"]


async def test_what_can_t_be_done_is_refused_over_the_socket(
    web: Web, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    await refused(do, "not_found", "GET", "/no_such")
    errors = [StorageUnavailable("the disk is full"), RuntimeError("a-secret")]

    async def fails(*_: Any, **__: Any) -> Any:
        raise errors.pop(0)

    with monkeypatch.context() as patched:
        patched.setattr(web.database, "read", fails)
        await refused(do, "storage_unavailable", "GET", "/orgs")
        assert "a-secret" not in str(await refused(do, "internal_error", "GET", "/orgs"))
    assert [one["org"] for one in (await do("GET", "/orgs"))["orgs"]] == ["myorg"]
