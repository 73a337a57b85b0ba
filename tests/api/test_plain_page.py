"""Plain pages beside the general way: the same of everything that anyone can see, or untouched."""

import itertools
from typing import Any

import pytest
import trio

from phonegate.api.reply import Reply
from phonegate.domain.rate_limits import Bounds
from phonegate.model.messages import NewInbound
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG
from tests.api.test_plain_send import KEYS, OWN, Asked, World, sent, without_time, world
from tests.captured_logs import capture_logs

TEXTS = ("hello", 'a "quote" \\ and \x00', "😀", "")

PLAIN = (
    "",
    "limit=2",
    "since_id=1&limit=3",
    "before_id=3",
    "direction=in",
    "direction=out&status=queued",
    "sim=0",
    "sim=%2B1555",
    "key=k3v9",
    "waiting_for=approval",
)

QUERIES = (
    *PLAIN,
    "limit=0",
    "limit=x",
    "limit=1&limit=2",
    "q=hello",
    "q=%21",
    "sinceId=1",
    "other=1",
    "secret_key=x",
    "org_id=other",
    "address=%FF",
)

CREDENTIALS = (
    {"x-secret-key": OWN},
    {"x-secret-key": "another-secret-key"},
    {},
    *({"authorization": f"Bearer {key.text}"} for key in KEYS.values()),
)


def page(query: str = "") -> Asked:
    return Asked(b"", {"x-secret-key": OWN}, f"/messages/{ORG}", query, "GET")


async def fill(made: World) -> None:
    def add(tx: Tables) -> None:
        for number, text in enumerate(TEXTS):
            tx.messages.insert_inbound(
                NewInbound(
                    org=made.org,
                    address=f"+1555{number}",
                    body=text,
                    created_at=NOW + number,
                    date=None,
                    phone=None,
                    sim_slot=number % 2,
                    sim="+1555",
                )
            )

    await made.database.write(add)
    await made.answered(sent({"to": "+15553334444", "body": "waits"}))


def shown(reply: Reply) -> tuple[Any, ...]:
    return reply.status, reply.headers, reply.body, reply.owner


async def test_a_plain_page_is_what_the_general_way_makes_of_it() -> None:
    async with world() as made:
        await fill(made)
        begun = 0
        for query, credential in itertools.product(QUERIES, CREDENTIALS):
            asked = Asked(b"", credential, f"/messages/{ORG}", query, "GET")
            with capture_logs() as lines:
                reply = await made.begun(asked)
            if reply is None:
                continue
            begun += 1
            with capture_logs() as expected:
                general = await made.answered(asked)
            assert shown(reply) == shown(general), asked
            assert without_time(lines[-1]) == without_time(expected[-1])
        # By the org's secret, and by each key without limits.
        assert begun == len(PLAIN) * 3


@pytest.mark.parametrize("query", ["", "limit=2", "since_id=1", "direction=in", "sim=0"])
async def test_the_plainest_are_begun(query: str) -> None:
    async with world() as made:
        await fill(made)
        reply = await made.begun(page(query))
        assert reply is not None
        assert reply.status == 200
        assert reply.body == (await made.answered(page(query))).body


@pytest.mark.parametrize("query", ["q=hello", "limit=x", "sinceId=1", "org_id=myorg"])
async def test_what_is_special_or_wrong_goes_the_general_way(query: str) -> None:
    async with world() as made:
        assert await made.begun(page(query)) is None


async def test_an_org_near_its_limit_is_told_and_beyond_it_goes_the_general_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("pipeline", "plain_page"):
        monkeypatch.setattr(f"phonegate.api.{module}.perf_counter", lambda: 1_000.0)
    async with world(Bounds(org_requests_per_s=2)) as made:
        replies = [await made.begun(page()) for _ in range(10)]
        assert replies[0] is not None
        assert replies[-1] is None
        assert (await made.answered(page())).status == 429


async def test_a_share_is_held_until_the_page_is_read_and_given_back() -> None:
    async with world() as made:
        assert await made.begun(page()) is not None
        assert not len(made.services.shares)
        assert made.services.shares.enter_now(made.org, 1000)
        assert await made.begun(page()) is None
        made.services.shares.leave(made.org, 1000)
        assert await made.begun(page()) is not None


async def test_a_file_that_can_not_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as made:
        await made.head(page())

        def refuse(*_: object) -> None:
            raise StorageUnavailable("disk I/O error")

        monkeypatch.setattr("phonegate.store.messages.Messages.shown_rows", refuse)
        begun = await made.begun(page())
        assert begun is not None
        assert shown(begun) == shown(await made.answered(page()))
        assert begun.status == 503


async def test_a_page_that_takes_too_long_is_answered_and_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as made:
        head = await made.head(page())
        replies: list[Reply] = []
        pages = made.pipeline._plain_pages
        given_up = []
        monkeypatch.setattr(pages, "_timeout_s", -1.0)
        assert made.pipeline.begin(head, b"", replies.append)
        (begun,) = pages._begun._waiting
        usual, begun.give_up = begun.give_up, lambda: given_up.append(True)
        assert usual is not None
        made.pipeline.expire()
        (reply,) = replies
        assert reply.status == 503
        assert given_up == [True]
        while pages._begun._waiting:
            await trio.lowlevel.checkpoint()
        assert len(replies) == 1
        assert not len(made.services.shares)
