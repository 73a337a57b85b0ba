"""One answer on either path to what the clients of dialects ask: see `test_both_paths`."""

import base64
from collections.abc import Iterator
from urllib.parse import urlencode

import attrs
import pytest

from phonegate.api.endpoint import Endpoint
from phonegate.api.table import build_table
from phonegate.domain.credentials import make_api_key
from phonegate.model.dialects import DIALECTS
from phonegate.model.orgs import ApiKey
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, SECRET
from tests.api.dialects.requests import SENDING, asked_of
from tests.end_to_end import test_both_paths
from tests.end_to_end.test_both_paths import KEY, READ_KEY, Asked, Pair

ENDPOINTS = [e for e in build_table().endpoints if e.dialect is not None]
TO = "+15553334444"
SEND_KEY = make_api_key()
OK = range(200, 300)
FORM = ("Content-Type", "application/x-www-form-urlencoded")

BY_CHANCE = frozenset({"smsgate_api_send", "smsgate_api_get_settings", "smsgate_api_put_webhook"})
BY_CHANCE |= {f"{name}_at_root" for name in BY_CHANCE}
"""Endpoints whose answers hold ids and keys that were made by chance."""

pair = test_both_paths.pair


@pytest.fixture
async def keyed(pair: Pair) -> Pair:
    """Both gateways have a key that can do no more than send."""
    for gate in (pair.with_fast_path, pair.asgi_only):
        await gate.database.write(_with_key)
    return pair


def _with_key(tx: Tables) -> None:
    org = tx.orgs.get(ORG)
    assert org is not None
    tx.keys.add(
        ApiKey(
            id=SEND_KEY.id,
            org=org.id,
            org_name=ORG,
            name="send",
            scopes=("send",),
            digest=SEND_KEY.digest,
            created_at=NOW,
        )
    )


def basic(user: str, password: str) -> tuple[str, str]:
    return ("Authorization", f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}")


CREDENTIALS = (
    (),
    (basic(ORG, SECRET),),
    (basic("anything", SEND_KEY.text),),
    (basic("", KEY.text),),
    (basic(ORG, "a-wrong-secret-key"),),
    (basic("no", SECRET),),
    (("Authorization", "Basic !"),),
    (("Authorization", f"Bearer {SEND_KEY.text}"),),
    (("Authorization", f"bearer {READ_KEY.text}"),),
    (("Authorization", "Bearer pgt_wrong"),),
    (("X-Secret-Key", KEY.text),),
    (("X-API-Key", SEND_KEY.text),),
    (("access-token", SEND_KEY.text),),
)


AROUND = (
    ("Origin", "https://evil.example"),
    ("Sec-Purpose", "prefetch"),
    ("Accept", "text/plain"),
    ("Idempotency-Key", "one"),
    ("Idempotency-Key", ""),
    ("X-Forwarded-For", "1.1.1.1"),
    ("Content-Encoding", "gzip"),
)


def plain(endpoint: Endpoint) -> Asked:
    asked = SENDING[endpoint.name](TO) if endpoint.sends else asked_of(endpoint)
    return Asked(endpoint.method, asked.address, tuple(asked.all_headers.items()), asked.body)


def with_fields(asked: Asked, *fields: tuple[str, str]) -> Asked:
    return attrs.evolve(asked, headers=(*asked.headers, *fields))


def with_query(asked: Asked, query: str) -> Asked:
    return attrs.evolve(asked, target=f"{asked.target}{'&' if '?' in asked.target else '?'}{query}")


def variants(endpoint: Endpoint) -> Iterator[Asked]:
    """Yields a right request, and it with much else in its place."""
    right = plain(endpoint)
    shown = with_fields(right, basic("any", SEND_KEY.text))
    for fields in CREDENTIALS:
        yield with_fields(right, *fields)
    for field in AROUND:
        yield with_fields(shown, field)
    assert endpoint.dialect is not None
    login = endpoint.dialect.login
    for names in (login.org_names, login.secret_names):
        for name in names:
            for key in (SEND_KEY.text, SECRET):
                yield with_query(right, urlencode({name: key}))
                org = next(iter(login.org_names), "org")
                yield with_query(right, urlencode({org: ORG, name: key}))
    for query in ("%ff=%fe", "to=1&to=2", "x=%00", "&&=", "responsetype=text", "coding=2"):
        yield with_query(shown, query)
    yield attrs.evolve(shown, target=shown.target.partition("?")[0])
    yield attrs.evolve(shown, target=shown.target.replace("?", "/?") + "/")
    yield attrs.evolve(shown, target=shown.target.upper())
    if right.body is None:
        yield attrs.evolve(shown, body=b"")
        yield attrs.evolve(shown, body=b'{"to":"1","text":"in the body of a GET"}')
        return
    for body in (b"", b"{", b"[]", b"\xff\xfe", b"a=%ff&b", b"\0", b"x" * 100_001, None):
        yield attrs.evolve(shown, body=body)
    head = tuple(pair for pair in shown.headers if pair[0] != "Content-Type")
    for kind in ("text/plain", "text/xml", "multipart/form-data", "application/json", FORM[1], ""):
        yield attrs.evolve(shown, headers=(*head, ("Content-Type", kind)))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_its_clients_ask_gets_one_answer(keyed: Pair, dialect: str) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.dialect is None or endpoint.dialect.name != dialect:
            continue
        if endpoint.name in BY_CHANCE or "token" in endpoint.name:
            continue
        asked_for = [*variants(endpoint), attrs.evolve(plain(endpoint), method="TRACE", body=None)]
        for asked in asked_for:
            await keyed.same(asked, by_fast_path=None)
    await keyed.same_state()


async def test_the_fast_path_answers_right_requests(keyed: Pair) -> None:
    fast = [endpoint for endpoint in ENDPOINTS if endpoint.fast_path]
    for endpoint in fast:
        right = with_fields(plain(endpoint), basic("any", SEND_KEY.text))
        if right.method == "POST" and right.body is None:
            right = attrs.evolve(right, body=b"")  # or it would have no length
        status = (await keyed.same(right))[0]
        assert status in OK or "contact" in endpoint.name or "group" in endpoint.name
    await keyed.same_state()
