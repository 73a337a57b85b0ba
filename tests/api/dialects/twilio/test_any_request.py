"""Requests that no client makes."""

import json
from random import Random
from urllib.parse import quote, urlencode

import pytest

from phonegate.api.dialects.twilio.endpoints import ENDPOINTS
from phonegate.http.refusals import FIRST_ERROR, FIRST_FAULT
from phonegate.model.twilio_ids import account_sid, media_sid, message_sid, number_sid
from phonegate.typed_json.fields import fields_of
from tests.api.conftest import ORG, SECRET, Web
from tests.api.dialects.twilio.calls import NUMBER, TO, basic, online
from tests.store.conftest import bring, inbound, outbound

ROUNDS = 250

TEXTS = [
    *("", "0", "-1", "1", "99999999999999999999", "x", "\0", "\ud800", "\u202e", "😀" * 900),
    *("true", "null", "[]", "{}", "a,b;c", "%00", "../..", "http://", "http://[", "https://a/b"),
    *("2026-11-30", "2026-11-30T25:00:00Z", "0000-00-00", "fixed", "canceled", "confirmed"),
    *(TO, NUMBER, "+", "whatsapp:", "MG" + "0" * 32, "PA" + message_sid(1), "GET", "x" * 5000),
]

IDS = [
    *(account_sid(1), account_sid(2), ORG, message_sid(1), message_sid(2), message_sid(999)),
    *(media_sid(1, 1), number_sid(1, NUMBER), "x", "%00", "%2F", "%ff", "SM" + "f" * 32, "."),
]


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_comes_is_answered_in_twilios_words(web: Web, seed: int) -> None:
    online(web)
    for new in (outbound(1), outbound(1)):
        id_ = await web.database.write(lambda tx, new=new: tx.messages.insert(new))  # type: ignore[misc]
    await web.database.write(lambda tx: bring(tx, id_, "sent"))
    await web.database.write(lambda tx: tx.messages.insert_inbound(inbound(1, media_urls=("x",))))
    rng = Random(seed)
    answered: set[str] = set()
    for _ in range(ROUNDS):
        endpoint = rng.choice(ENDPOINTS)
        path = rng.choice(endpoint.paths)
        for name in ("account", "sid", "media"):
            right = {"account": account_sid(1), "sid": rng.choice(IDS), "media": rng.choice(IDS)}
            value = right[name] if rng.random() < 0.9 else rng.choice(IDS)
            path = path.replace(f"{{{name}}}", value + rng.choice(["", ".json"]))
        given = {}
        if endpoint.given is not None:
            for field in fields_of(endpoint.given.type):
                if rng.random() < 0.5:
                    given[field.name] = [rng.choice(TEXTS) for _ in range(rng.choice([1, 1, 2]))]
        form = urlencode(given, doseq=True, errors="surrogatepass")
        headers = {"Authorization": basic(account_sid(1), SECRET)}
        raw = None
        if endpoint.method == "GET":
            path += f"?{form}"
        elif rng.random() < 0.2:
            headers["Content-Type"] = "application/json"
            mixed = {name: rng.choice([values, values[0], 5]) for name, values in given.items()}
            raw = json.dumps(mixed).encode()
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            raw = form.encode()
        path = quote(path, safe="/%?&=+:.-_")
        reply = await web.call(endpoint.method, path, secret=None, headers=headers, raw=raw)
        assert reply.status < FIRST_FAULT, (endpoint.name, path, raw, reply.data)
        if reply.status >= FIRST_ERROR:
            assert list(reply.json) == ["code", "message", "more_info", "status"]
        else:
            answered.add(endpoint.name)
    assert len(answered) > len(ENDPOINTS) // 3, answered
