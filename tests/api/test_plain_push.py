"""Plain pushes beside the general way: the same of everything that can be seen, or untouched."""

import json
from collections import Counter
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phonegate.api import begun
from phonegate.api.large_bodies import READ_AT_ONCE_BYTES
from phonegate.api.reply import Reply
from phonegate.domain.credentials import make_api_key
from phonegate.domain.rate_limits import Bounds
from tests.api.conftest import ORG
from tests.api.test_plain_send import KEYS, OWN, Asked, World, api_key, in_both, world

SMS = {"address": "+15553334444", "body": "hello", "date": 1_700_000_000_000, "sim_slot": 0}
OTHER = {**SMS, "date": 1_700_000_000_001}


def pushed(*messages: Any, **more: Any) -> Asked:
    body = json.dumps({"org_id": ORG, "messages": messages} | more).encode()
    return Asked(body, {"x-secret-key": OWN}, "/webhook")


async def remember(*worlds: World) -> None:
    """Shows the credential, the general way."""
    for one in worlds:
        assert (await one.answered(pushed({**SMS, "date": 5}))).status == 200


def seen(world: World) -> Any:
    return world.services.cleaned


_ITEM = st.fixed_dictionaries(
    {"body": st.sampled_from(["hi", "ж" * 71, "\ud800x", "\0", "", None, 5, "a" * 2_000])},
    optional={
        "address": st.sampled_from(["+1555", " BANK ", "", None, 7]),
        "date": st.sampled_from([1_700_000_000_000, 1_700_000_000, "2026-01-31T08:00:00Z", 0, "x"]),
        "sim_slot": st.sampled_from([0, "1", -1, None, "x"]),
        "sim": st.sampled_from(["+15551112222", "", None, "9" * 99]),
        "id": st.sampled_from([1, "1", "", None, [1]]),
        "media_urls": st.sampled_from([None, ["https://a/1"], "x"]),
    },
)
_ODD = st.sampled_from([{}, {"body": "x", "note": 1}, 5, None, {"media_urls": ["https://a/1"]}])
_CONTENT = st.fixed_dictionaries(
    {"messages": st.lists(_ITEM, min_size=1, max_size=4) | st.lists(_ITEM | _ODD, max_size=3)},
    optional={
        "org_id": st.sampled_from([*[ORG] * 8, "other", 5, None]),
        "device_id": st.sampled_from([None, "phone", " phone ", 5, "x" * 300]),
        "secret_key": st.sampled_from([OWN, "a-wrong-secret-key"]),
        "note": st.just(1),
    },
)
_PLAIN = st.builds(
    lambda messages: {"org_id": ORG, "messages": messages},
    st.lists(_ITEM | _ODD, min_size=1, max_size=4),
)
_BODIES = st.one_of(
    *[_PLAIN.map(json.dumps).map(str.encode)] * 3,
    _CONTENT.map(json.dumps).map(str.encode),
    st.sampled_from([b"", b"{}", b"[]", b'{"body":"flat","org_id":"myorg"}', b'{"messages":{}}']),
)
_HEADERS = st.sampled_from(
    [
        *[{"x-secret-key": OWN}] * 8,
        {},
        {"x-secret-key": "a-wrong-secret-key"},
        {"authorization": f"Bearer {KEYS['send'].text}"},
        {"x-secret-key": OWN, "content-type": "application/json"},
        {"x-secret-key": OWN, "content-type": "text/plain"},
        {"x-secret-key": OWN, "x-address": "+1555", "x-org-id": "other"},
        {"x-secret-key": OWN, "origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    ]
)


async def test_a_plain_push_is_what_the_general_way_makes_of_it() -> None:
    token, ways = trio.lowlevel.current_trio_token(), Counter[bool]()
    bounds = Bounds(org_bytes_per_day=60_000)
    async with world(bounds) as hot, world(bounds) as plain:
        await remember(hot, plain)

        async def ask(asked: Asked) -> None:
            ways[await in_both(hot, plain, asked)] += 1
            assert seen(hot) == seen(plain)

        @settings(max_examples=80, deadline=None, suppress_health_check=[*HealthCheck])
        @given(_BODIES, _HEADERS, st.sampled_from([*[""] * 9, "address=%2B1555"]))
        def check(body: bytes, headers: dict[str, str], query: str) -> None:
            asked = Asked(body, headers, "/webhook", query)
            trio.from_thread.run(ask, asked, trio_token=token)

        await trio.to_thread.run_sync(check)
    # Of eighty random ones a dozen are plain, as a rule.
    assert ways[True]
    assert ways[False] > 5


async def test_the_plainest_are_begun() -> None:
    asked = [
        pushed(SMS),
        pushed(SMS),
        pushed(SMS, OTHER, {"address": "x"}, device_id="phone"),
        pushed({**SMS, "body": "a\0b"}),
    ]
    async with world() as hot, world() as plain:
        await remember(hot, plain)
        assert [await in_both(hot, plain, one) for one in asked] == [True] * len(asked)
        assert seen(hot) == seen(plain) == {"entry": 1, "text": 1}


@pytest.mark.parametrize(
    "asked",
    [
        pushed(SMS, note=1),
        pushed({**SMS, "note": 1}),
        pushed(SMS, secret_key=OWN),
        pushed(SMS, org_id="other"),
        pushed(SMS, org_id=None),
        pushed({"address": "x"}),
        pushed(),
        pushed(*[SMS] * 501),
    ],
)
async def test_what_is_unknown_or_refused_goes_the_general_way(asked: Asked) -> None:
    async with world() as hot, world() as plain:
        await remember(hot, plain)
        assert not await in_both(hot, plain, asked)


async def test_one_whose_credential_is_not_remembered_goes_the_general_way() -> None:
    async with world() as hot:
        assert await hot.begun(pushed(SMS)) is None
        await remember(hot)
        assert await hot.begun(pushed(SMS)) is not None
        assert await hot.begun(Asked(pushed(SMS).body, {}, "/webhook")) is None


async def test_an_org_whose_share_is_taken_goes_the_general_way() -> None:
    async with world() as hot:
        await remember(hot)
        async with hot.services.shares.take(hot.org, 10_000):
            assert await hot.begun(pushed(SMS)) is None
        assert await hot.begun(pushed(SMS)) is not None
    assert len(hot.services.shares) == 0


async def test_large_bodies_and_too_many_bytes_go_the_general_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as hot:
        await remember(hot)
        assert await hot.begun(pushed({**SMS, "body": "a" * READ_AT_ONCE_BYTES})) is None
        monkeypatch.setattr(begun, "PENDING_BYTES", len(pushed(SMS).body))
        replies: list[Reply] = []
        came = trio.Event()

        def answered(reply: Reply) -> None:
            replies.append(reply)
            came.set()

        async with hot.held() as free:
            assert await hot.begin(pushed(SMS), answered)
            assert not await hot.begin(pushed(OTHER), answered)
            assert not replies
            free()
            await came.wait()
        assert await hot.begun(pushed(OTHER)) is not None


async def test_a_commit_that_takes_too_long_is_answered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world() as hot:
        await remember(hot)
        monkeypatch.setattr(hot.pipeline._plain_pushes, "_timeout_s", -1.0)
        replies: list[Reply] = []
        async with hot.held() as free:
            assert await hot.begin(pushed(SMS), replies.append)
            hot.pipeline.expire()
            assert [one.status for one in replies] == [503]
            hot.pipeline.expire()
            free()
            await hot.database.write(lambda _: None)
        assert len(replies) == 1
        assert len(hot.services.shares) == 0
        again = await hot.answered(pushed(SMS))
        assert json.loads(again.body)["duplicates"] == 1


async def test_it_is_noted_by_which_key_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    key = make_api_key()
    asked = Asked(pushed(SMS).body, {"authorization": f"Bearer {key.text}"}, "/webhook")
    noted: list[tuple[str | None, int]] = []
    async with world() as hot:
        row = api_key(key, hot.org, ("phone",), None)
        await hot.database.write(lambda tx: tx.keys.add(row))
        monkeypatch.setattr(
            hot.services.inbox, "_note_pushed", lambda by, items: noted.append((by, len(items)))
        )
        assert (await hot.answered(asked)).status == 200
        assert await hot.begun(asked) is not None
    assert noted == [(key.id, 1)] * 2
