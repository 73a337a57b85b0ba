"""Requests with a head that is known are answered as any others."""

import json
from typing import Any

import pytest

from phonegate.api.endpoint import Request
from phonegate.api.known_head import KnownHead
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.pipeline import Pipeline
from phonegate.api.reply import Reply
from phonegate.config.settings import HttpSettings
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.store.database import Database

from .conftest import CLIENT, ORG, SECRET, Web, build_web

OTHER = "another-secret-456"
RIGHT = {"x-secret-key": SECRET}


def pipeline_of(web: Web) -> Pipeline:
    return build_pipeline(web.services, HttpSettings())


def known(
    pipeline: Pipeline, headers: dict[str, str], path: str = f"/messages/{ORG}", query: str = ""
) -> KnownHead:
    head = pipeline.find(
        method="GET",
        path=path,
        query=query,
        headers={"host": "gate.lan", **headers},
        client=CLIENT,
    )
    assert head is not None
    return head


async def status(pipeline: Pipeline, head: KnownHead) -> int:
    return (await pipeline.answer(head, b"")).status


async def make_key(web: Web, **more: Any) -> tuple[str, dict[str, str]]:
    made = await web.call("POST", f"/keys/{ORG}", {"name": "k", **more})
    assert made.status == 201
    return made.json["id"], {"authorization": f"Bearer {made.json['key']}"}


def shown(reply: Reply) -> tuple[int, Any, Any]:
    return reply.status, reply.headers, reply.body


@pytest.mark.parametrize(
    ("headers", "path", "query"),
    [
        (RIGHT, f"/messages/{ORG}", ""),
        (RIGHT, f"/messages/{ORG}", "limit=1"),
        (RIGHT, f"/messages/{ORG}", "limit=x"),
        (RIGHT, f"/messages/{ORG}", "limit=%ff"),
        (RIGHT, "/messages/noorg", ""),
        (RIGHT, "/messages/%ff", ""),
        ({"x-secret-key": OTHER}, f"/messages/{ORG}", ""),
        ({}, f"/messages/{ORG}", ""),
        ({}, f"/messages/{ORG}", f"secret_key={SECRET}"),
        ({**RIGHT, "origin": "https://evil.example"}, f"/messages/{ORG}", ""),
    ],
)
async def test_it_is_answered_each_time_as_if_it_were_new(
    web: Web, headers: dict[str, str], path: str, query: str
) -> None:
    pipeline = pipeline_of(web)
    head = known(pipeline, headers, path, query)
    first = shown(await pipeline.answer(head, b""))
    request = Request(
        method="GET",
        path=path,
        query=query,
        headers={"host": "gate.lan", **headers},
        client=CLIENT,
    )
    for _ in range(3):
        assert shown(await pipeline.answer(head, b"")) == first
        assert shown(await pipeline.reply(request, b"")) == first


async def test_a_secret_that_was_changed_is_right_no_more(web: Web) -> None:
    pipeline = pipeline_of(web)
    old, new = known(pipeline, RIGHT), known(pipeline, {"x-secret-key": OTHER})
    assert [await status(pipeline, old) for _ in range(3)] == [200] * 3
    assert old.shown is not None
    await web.services.accounts.orgs.rotate(ORG, OTHER)
    assert [await status(pipeline, old) for _ in range(2)] == [401] * 2
    assert [await status(pipeline, new) for _ in range(2)] == [200] * 2


async def test_an_org_that_was_removed_is_none(web: Web) -> None:
    pipeline = pipeline_of(web)
    head = known(pipeline, RIGHT)
    assert [await status(pipeline, head) for _ in range(2)] == [200] * 2
    await web.services.accounts.orgs.remove(ORG)
    assert await status(pipeline, head) == 401


async def test_a_key_that_was_revoked_is_right_no_more(web: Web) -> None:
    pipeline = pipeline_of(web)
    id_, bearer = await make_key(web)
    head = known(pipeline, bearer)
    assert [await status(pipeline, head) for _ in range(3)] == [200] * 3
    await web.call("DELETE", f"/keys/{ORG}/{id_}")
    assert await status(pipeline, head) == 401


async def test_a_key_reaches_no_further(web: Web) -> None:
    pipeline = pipeline_of(web)
    await web.make_org("other", OTHER)
    _, bearer = await make_key(web, scopes=["send"])
    for path in (f"/messages/{ORG}", "/messages/other"):
        head = known(pipeline, bearer, path)
        codes = [json.loads((await pipeline.answer(head, b"")).body)["code"] for _ in range(3)]
        assert codes == ["forbidden" if path.endswith(ORG) else "unauthorized"] * 3


@pytest.mark.usefixtures("notes_waited_for")
async def test_the_use_of_a_key_is_noted(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(web)
    _, bearer = await make_key(web)
    head = known(pipeline, bearer)
    authentication = web.services.accounts.authentication
    now = authentication._now_ms()
    for seconds in (0, 59, 61, 100, 122):
        monkeypatch.setattr(authentication, "_now_ms", lambda s=seconds: now + s * 1000)
        assert await status(pipeline, head) == 200
        keys = await web.database.read(lambda tx: tx.keys.of_org(1))
        assert keys[0].last_used_at == now + {59: 0, 100: 61}.get(seconds, seconds) * 1000


async def test_each_request_counts_for_its_org(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.api.pipeline.perf_counter", lambda: 1_000.0)
    web = build_web(database, rate_limits=RateLimits(Bounds(org_requests_per_s=1)))
    await web.make_org()
    pipeline = pipeline_of(web)
    head = known(pipeline, RIGHT)
    answers = [await pipeline.answer(head, b"") for _ in range(6)]
    assert [one.status for one in answers] == [200] * 5 + [429]
    left = [dict(one.headers).get("RateLimit", "").partition(";t=")[0] for one in answers]
    assert left[3:5] == ['"org";r=1', '"org";r=0']
