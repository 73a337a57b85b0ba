"""What an org may store, at the routes by which it stores something."""

import threading
from collections.abc import Awaitable, Callable

import pytest

from phonegate.api.convert import CONVERTER
from phonegate.domain.admission import EACH_BYTES
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.store.database import Database
from tests.api.conftest import (
    ORG,
    SECRET,
    Reply,
    Web,
    build_web,
)

SMS = {"address": "+15551112222", "body": "hello", "date": 1_700_000_000_000}


async def push(web: Web, local_id: str, org: str = ORG) -> Reply:
    messages = [{**SMS, "id": local_id}]
    body = {"org_id": org, "secret_key": SECRET, "messages": messages}
    return await web.call("POST", "/webhook", body, secret=None)


async def send(web: Web, local_id: str) -> Reply:
    return await web.call("POST", f"/send/{ORG}", {"to": "+15553334444", "body": local_id})


@pytest.mark.parametrize("store", [push, send])
async def test_who_has_stored_a_day_s_worth_is_told_when_to_come_again(
    database: Database, store: Callable[[Web, str], Awaitable[Reply]]
) -> None:
    web = build_web(database, rate_limits=RateLimits(Bounds(org_bytes_per_day=2 * EACH_BYTES + 20)))
    await web.make_org()
    assert [(await store(web, str(n))).status for n in range(2)] == [200, 200]
    reply = await store(web, "2")
    assert (reply.status, reply.json["code"]) == (429, "storage_spent")
    assert int(reply.headers["retry-after"]) > 0
    assert "1220 bytes a day" in reply.json["detail"]
    page = await web.call("GET", f"/messages/{ORG}")
    assert page.json["count"] == 2


async def test_near_the_end_of_the_disk_an_org_that_made_itself_waits(database: Database) -> None:
    web = build_web(database, rate_limits=RateLimits(disk_low_bytes=1 << 60))
    # As long as all have made themselves, there is none to keep room for.
    assert (await push(web, "1", "newcomer")).status == 200
    await web.make_org()
    reply = await push(web, "2", "newcomer")
    assert (reply.status, reply.json["code"]) == (503, "disk_low")
    assert int(reply.headers["retry-after"]) > 0
    assert (await push(web, "3")).status == 200
    assert (await send(web, "x")).status == 200


async def test_what_its_owner_gave_another_secret_is_the_owner_s(database: Database) -> None:
    web = build_web(database, rate_limits=RateLimits(Bounds(self_made_org_bytes_per_day=1)))
    assert (await push(web, "1", "newcomer")).status == 200
    assert (await push(web, "2", "newcomer")).status == 429
    await web.services.accounts.orgs.rotate("newcomer", SECRET)
    assert (await push(web, "2", "newcomer")).status == 200


async def test_an_org_has_so_many_keys_and_assistants(database: Database) -> None:
    web = build_web(database, rate_limits=RateLimits(Bounds(org_keys=2, org_assistants=1)))
    await web.make_org()
    made = [await web.call("POST", f"/keys/{ORG}", {"name": "x"}) for _ in range(3)]
    assert [reply.status for reply in made] == [201, 201, 409]
    assert made[-1].json["code"] == "org_full"
    assert made[-1].json["detail"] == (
        "This org has all the API keys it may have (2). Its owner can remove some, or raise "
        "[limits] org_keys."
    )
    await web.call("DELETE", f"/keys/{ORG}/{made[0].json['id']}")
    assert (await web.call("POST", f"/keys/{ORG}", {"name": "x"})).status == 201
    for status, number in ((201, "+15550000001"), (409, "+15550000002")):
        body = {"name": "x", "provider": "phone", "phone_numbers": [number]}
        reply = await web.call("POST", f"/assistants?org_id={ORG}", body)
        assert reply.status == status
    assert (reply.json["code"], "raise [limits] org_assistants" in reply.json["detail"]) == (
        "org_full",
        True,
    )


@pytest.mark.parametrize("path", [f"/sims/{ORG}", f"/keys/{ORG}", f"/assistants?org_id={ORG}"])
async def test_a_list_is_written_in_another_thread_than_that_of_all_links(
    web: Web, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []
    encode = CONVERTER.encode

    def noted(answer: object) -> bytes:
        threads.append(threading.current_thread())
        return encode(answer)

    monkeypatch.setattr(CONVERTER, "encode", noted)
    assert (await web.call("GET", path)).status == 200
    assert threads
    assert threading.main_thread() not in threads
