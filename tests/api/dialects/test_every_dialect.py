"""Every endpoint of every dialect: who gets in, and that each limit of a key holds there too."""

import base64
import json
from itertools import product
from typing import Any

import attrs
import pytest

from phonegate.api.dialect import Dialect, Refusal
from phonegate.api.endpoint import Endpoint
from phonegate.api.table import build_table
from phonegate.domain.dispatch import OnlinePhone
from phonegate.http.refusals import CODES
from phonegate.model.contacts import Contact
from phonegate.model.dialects import DIALECTS
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import FieldProblem
from tests.api.conftest import NOW, ORG, SECRET, Reply, Web
from tests.api.dialects.requests import SENDING, Asked, asked_of

TABLE = build_table()
ENDPOINTS = [e for e in TABLE.endpoints if e.dialect is not None]
GUARDED = [e for e in ENDPOINTS if e.scope is not None]
SENDERS = [e for e in ENDPOINTS if e.sends]
BY_GET = [e for e in SENDERS if e.method == "GET"]
SIM = "+15551112222"
ALLOWED, FOREIGN = "+15553334444", "+15559990000"
OK = range(200, 300)

each_sender = pytest.mark.parametrize("endpoint", SENDERS, ids=lambda e: e.name)
each_guarded = pytest.mark.parametrize("endpoint", GUARDED, ids=lambda e: e.name)


@attrs.frozen
class Key:
    """An API key."""

    web: Web
    text: str

    async def asks(self, endpoint: Endpoint, asked: Asked, **headers: str) -> Reply:
        return await ask(self.web, endpoint, asked, self.text, **headers)


async def ask(
    web: Web, endpoint: Endpoint, asked: Asked, credential: str | None, **headers: str
) -> Reply:
    """Asks by Basic, which all dialects take, and by which an address may be a dialect's."""
    shown = {**asked.all_headers, **headers}
    if credential is not None:
        pair = base64.b64encode(f"{ORG}:{credential}".encode()).decode()
        shown["Authorization"] = f"Basic {pair}"
    return await web.call(
        endpoint.method, asked.address, secret=None, headers=shown, raw=asked.body
    )


async def key(web: Web, *scopes: str, **limits: Any) -> Key:
    """Makes an API key of an org with a phone that takes whatever it is given, and contacts."""
    if not web.phones.phones:
        sims = (Sim(slot=0, number=SIM),)
        web.phones.phones.append(OnlinePhone(phone=1, device_id="a", name=None, sims=sims))
        org = await web.database.read(lambda tx: tx.orgs.get(ORG))
        assert org is not None
        owner = Principal(org=org.id, org_name=ORG, scopes=("send", "read", "manage"))
        for number in (ALLOWED, FOREIGN):
            await web.services.contacts.put(owner, Contact(number=number, name=number))
    body = {"name": "agent", "scopes": list(scopes), **({"limits": limits} if limits else {})}
    made = await web.call("POST", f"/keys/{ORG}", body)
    assert made.status == 201, made.data
    return Key(web, made.json["key"])


async def stored(web: Web) -> list[dict[str, Any]]:
    answer = await web.call("GET", f"/messages/{ORG}?limit=1000")
    messages: list[dict[str, Any]] = answer.json["messages"]
    return messages


async def test_every_dialect_is_there_and_every_sender_is_called() -> None:
    assert [one.name for one in TABLE.dialects] == list(DIALECTS)
    assert {e.name for e in SENDERS} == set(SENDING)


@pytest.mark.parametrize("name", DIALECTS)
async def test_one_that_is_switched_off_has_no_address(name: str) -> None:
    others = [one for one in DIALECTS if one != name]
    table = build_table(dialects=others)
    assert [one.name for one in table.dialects] == others


@each_sender
async def test_a_key_that_may_only_send_sends_by_it(web: Web, endpoint: Endpoint) -> None:
    sender = await key(web, "send")
    reply = await sender.asks(endpoint, SENDING[endpoint.name](ALLOWED))
    assert reply.status in OK, reply.data
    (message,) = await stored(web)
    assert (message["address"], message["direction"]) == (ALLOWED, "out")
    assert len(web.phones.pushed) == 1


@each_sender
async def test_a_recipient_that_a_key_may_not_send_to(web: Web, endpoint: Endpoint) -> None:
    limited = await key(web, "send", to=[ALLOWED])
    reply = await limited.asks(endpoint, SENDING[endpoint.name](FOREIGN))
    _require_refused(endpoint, reply)
    assert await stored(web) == []
    assert (await limited.asks(endpoint, SENDING[endpoint.name](ALLOWED))).status in OK


@each_sender
async def test_what_a_person_must_approve_is_held(web: Web, endpoint: Endpoint) -> None:
    limited = await key(web, "send", hold=True)
    reply = await limited.asks(endpoint, SENDING[endpoint.name](ALLOWED))
    assert reply.status in OK, reply.data
    assert {m["waiting_for"] for m in await stored(web)} == {"approval"}
    assert web.phones.pushed == []


@each_sender
@pytest.mark.parametrize("limit", ["per_hour", "per_day"])
async def test_no_more_leave_than_a_key_may_send(web: Web, endpoint: Endpoint, limit: str) -> None:
    limited = await key(web, "send", **{limit: 1})
    assert (await limited.asks(endpoint, SENDING[endpoint.name](ALLOWED))).status in OK
    reply = await limited.asks(endpoint, SENDING[endpoint.name](ALLOWED))
    _require_refused(endpoint, reply)
    assert int(reply.headers["Retry-After"]) > 0
    assert len(await stored(web)) == 1


@each_sender
async def test_nothing_leaves_in_the_quiet_hours_of_a_key(web: Web, endpoint: Endpoint) -> None:
    hour = NOW // 3_600_000 % 24
    hours = f"{hour:02}:00-{(hour + 2) % 24:02}:00"
    limited = await key(web, "send", quiet_hours={"hours": hours, "zone": "Etc/UTC"})
    _require_refused(endpoint, await limited.asks(endpoint, SENDING[endpoint.name](ALLOWED)))
    assert await stored(web) == []


@each_sender
async def test_a_key_that_may_only_read_sends_nothing(web: Web, endpoint: Endpoint) -> None:
    reader = await key(web, "read")
    _require_refused(endpoint, await reader.asks(endpoint, SENDING[endpoint.name](ALLOWED)))
    assert await stored(web) == []


@pytest.mark.parametrize("endpoint", BY_GET, ids=lambda e: e.name)
async def test_by_get_only_a_key_sends_that_can_do_nothing_else(
    web: Web, endpoint: Endpoint
) -> None:
    asked = SENDING[endpoint.name](ALLOWED)
    both = await key(web, "send", "read")
    _require_refused(endpoint, await both.asks(endpoint, asked))
    _require_refused(endpoint, await ask(web, endpoint, asked, SECRET))
    sender = await key(web, "send")
    _require_refused(endpoint, await sender.asks(endpoint, asked, **{"Sec-Purpose": "prefetch"}))
    head = await ask(web, attrs.evolve(endpoint, method="HEAD"), asked, sender.text)
    assert head.status == 405
    # A browser over plain HTTP, which a page of any site may have led here.
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"}
    _require_refused(endpoint, await sender.asks(endpoint, asked, **browser))
    assert await stored(web) == []
    await sender.asks(endpoint, asked, **browser, **{"Sec-Fetch-Site": "none"})
    assert len(await stored(web)) == 1


@each_guarded
async def test_nobody_else_gets_in_and_an_error_is_in_its_own_words(
    web: Web, endpoint: Endpoint
) -> None:
    asked = SENDING[endpoint.name](ALLOWED) if endpoint.sends else asked_of(endpoint)
    for credential in (None, "", "wrong-secret-of-12", "pgk_" + "a" * 41):
        # Without one, such an address is another endpoint's.
        shown = "" if endpoint.by_basic and credential is None else credential
        reply = await ask(web, endpoint, asked, shown)
        _require_refused(endpoint, reply)
        assert not credential or credential.encode() not in reply.data
    assert await stored(web) == []


@pytest.mark.parametrize("dialect", TABLE.dialects, ids=lambda d: d.name)
async def test_an_unknown_address_below_a_dialect_is_refused_in_its_words(
    web: Web, dialect: Dialect
) -> None:
    for base in dialect.bases:
        reply = await web.call("GET", f"{base}/there/is/nothing/here")
        assert reply.status >= 400
        assert not is_ours(reply.data)


@pytest.mark.parametrize("dialect", TABLE.dialects, ids=lambda d: d.name)
async def test_a_method_that_an_address_does_not_take_is_refused_in_its_words(
    web: Web, dialect: Dialect
) -> None:
    for endpoint in (one for one in ENDPOINTS if one.dialect is dialect):
        asked = SENDING[endpoint.name](ALLOWED) if endpoint.sends else asked_of(endpoint)
        reply = await ask(web, attrs.evolve(endpoint, method="TRACE"), asked, SECRET)
        assert (reply.status, is_ours(reply.data)) == (405, False), (endpoint.name, reply.data)
        assert endpoint.method in reply.headers["Allow"], endpoint.name


@pytest.mark.parametrize("dialect", TABLE.dialects, ids=lambda d: d.name)
def test_each_error_has_words_in_each_dialect(dialect: Dialect) -> None:
    names = [e.name for e in ENDPOINTS if e.dialect is dialect]
    for code, endpoint in product(CODES, (*names, None)):
        worded = dialect.refuse(
            Refusal(
                status=CODES[code].status,
                code=code,
                detail="It is wrong.",
                problems=[FieldProblem("to", "is wrong")],
                endpoint=endpoint,
            )
        )
        assert worded.body, (code, endpoint)
        assert not is_ours(worded.body), (code, endpoint)
        assert worded.status not in OK or b"OK" not in worded.body, (code, endpoint)


def is_ours(data: bytes) -> bool:
    """Tells whether an error has the form of the gateway's own API."""
    try:
        content = json.loads(data)
    except ValueError:
        return False
    return isinstance(content, dict) and content.keys() <= {
        "ok",
        "detail",
        "code",
        "errors",
        "limit",
        "ends_at",
    }


def _require_refused(endpoint: Endpoint, reply: Reply) -> None:
    assert not is_ours(reply.data), reply.data
    assert reply.status not in OK or endpoint.name in REFUSES_BY_200, reply.data
    if reply.status in OK:
        assert b"OK" not in reply.data


REFUSES_BY_200: frozenset[str] = frozenset()
"""Endpoints whose errors have the status 200, as their clients expect. None of those holds `OK`."""
