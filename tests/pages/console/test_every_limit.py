"""What a key with limits finds in the whole console: nothing of those beyond its limits.

Every route is asked, those to come included, for what the key may see and for what it may not.
"""

import html as html_module
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import product
from typing import Any, ClassVar
from urllib.parse import quote, unquote_plus

import attrs
import pytest
from quart import request
from werkzeug.datastructures import MultiDict

from phonegate.domain.media import part
from phonegate.model.principal import OWNER_SCOPE
from phonegate.pages.console.screens import ROUTES
from phonegate.pages.console.visit import Route, Visit
from phonegate.store.tables import Tables
from tests.api.conftest import ORG, Web, database, known_phone, web
from tests.pages.console.conftest import Person

__all__ = ["database", "web"]

SEEN = "+15553334444"
HIDDEN = "+491701112222"
OTHER = "+491703334444"
"""Hidden too, and never asked for."""

CODE = "482913"

CANARIES = (
    HIDDEN,
    OTHER,
    CODE,
    "hidden-received",
    "hidden-sent",
    "hidden-waiting",
    "hidden-batch",
    "hidden-draft",
    "Hidden Heinz",
    "Hidden Ida",
    "hidden-part",
    "hidden-template-of-batch",
)
"""Of what a key with limits must see nothing."""

NAMED = frozenset({HIDDEN, OTHER, "Hidden Heinz", "Hidden Ida"})

TABLES = (
    "messages",
    "conversations",
    "contacts",
    "batches",
    "templates",
    "api_keys",
    "webhooks",
    "hooks",
)


@attrs.frozen(kw_only=True)
class World:
    """An org with messages within the limits of a key, and beyond them."""

    limited: Person
    places: Mapping[str, Sequence[str]]
    """Values of the parameters of paths, by the route's beginning and the parameter's name."""
    key: str
    secrets: Sequence[str] = CANARIES
    """What the key must not see."""

    async def look(self, path: str, query: Mapping[str, str]) -> None:
        """Asks for a page, and for the part of it that scripts get."""
        for headers in ({}, {"X-Console": "script"}) if not query else ({},):
            answer = await self.limited.client.get(
                f"/console{path}", params=filled(query, self), headers=headers
            )
            url = str(answer.request.url)
            assert answer.status_code < 500, (url, answer.text)
            assert not self.found(answer.text, url), (url, self.found(answer.text, url))

    def found(self, text: str, asked: str) -> list[str]:
        """Returns what a page tells of what is hidden, without what it was asked with."""
        shown, asked = html_module.unescape(text), unquote_plus(asked)
        return [one for one in self.secrets if one in shown and one not in asked]

    def paths(self, route: Route) -> Iterator[str]:
        """Yields addresses of a route, of all that there is."""
        kind = route.path.removeprefix("/").partition("/")[0]
        names = re.findall(r"<(?:[a-z]+:)?([a-z_]+)>", route.path)
        for values in product(*(self.places[f"{kind} {name}"] for name in names)):
            path = route.path
            for name, value in zip(names, values, strict=True):
                path = re.sub(rf"<(?:[a-z]+:)?{name}>", quote(value, safe=""), path)
            yield path


ASKED: Mapping[str, Sequence[str]] = {
    "q": ("hidden", "+4917", "Heinz", "48"),
    "unread": ("1",),
    "part": ("list", "thread", "bubbles"),
    "before": ("99",),
    "since": ("0",),
    "before_id": ("99",),
    "since_id": ("0",),
    "types": ("message.*",),
    "address": (HIDDEN,),
    "at": ("$hidden",),
    "message": ("$hidden",),
    "after": (HIDDEN,),
    "draft": ("$batch", "$draft"),
    "template": ("1",),
    "to": (HIDDEN,),
    "text": ("x",),
    "sender": ("sim:+15551112222",),
    "repeats": ("keep",),
    "from": ("0", "2026-01-01"),
    "range": ("1y",),
    "ready": ("json",),
    "by": ("hour",),
    "zone": ("Asia/Tokyo",),
    "sim": ("+15551112222",),
    "segments": ("3",),
    "count": ("3",),
    "period": ("30d",),
    "show": ("attention",),
    "page": ("2",),
    "number": (HIDDEN,),
    "name": ("x",),
}
"""What pages are asked for beside their path: values of each parameter that any of them reads."""

FORM: Mapping[str, str] = {
    "to": HIDDEN,
    "body": "from-outside",
    "text": "from-outside",
    "number": HIDDEN,
    "name": "from-outside",
    "message": "from-outside",
    "from_phone_number": "+15551112222",
    "to_phone_number": HIDDEN,
    "upto": "99",
    "count": "1",
    "do": "approve",
    "id": "$hidden",
    "confirm": ORG,
    "folder": "/tmp",
}
"""What each form is sent with."""


class Heard(MultiDict[str, str]):
    """The parameters of a query, and which of them a page reads."""

    read: ClassVar[set[str]] = set()

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self.read.add(key)
        return super().get(key, *args, **kwargs)

    def getlist(self, key: str, *args: Any) -> Any:
        self.read.add(key)
        return super().getlist(key, *args)

    def __contains__(self, key: object) -> bool:
        self.read.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> str:
        self.read.add(key)
        return super().__getitem__(key)


async def world(web: Web, scopes: Sequence[str] = ("send", "read")) -> World:
    """Makes it, by the org's own secret. The key may send; with limits it may read too."""
    phone = await known_phone(web.database)
    ids: dict[str, int] = {}

    async def receive(name: str, address: str, body: str, date: int) -> None:
        sms = {"address": address, "body": body, "date": date, "sim_slot": 0}
        answer = await web.call("POST", "/webhook", {"org_id": ORG, "messages": [sms]})
        assert answer.json["stored"] == 1
        listed = (await web.call("GET", f"/messages/{ORG}?limit=1")).json
        ids[name] = listed["messages"][-1]["id"]

    async def send(name: str, to: str, body: str) -> None:
        answer = await web.call(
            "POST", f"/send/{ORG}", {"to": to, "body": body, "sim": "+15551112222"}
        )
        ids[name] = answer.json["results"][0]["id"]

    owner = await Person.signed_in(web)
    await owner.look("/events")  # from here on the org's events are kept
    for number, name in ((HIDDEN, "Hidden Heinz"), (OTHER, "Hidden Ida"), (SEEN, "Ann")):
        assert (await owner.send("/contacts", {"name": name, "number": number})).status_code == 303
    await receive("hidden", HIDDEN, "a hidden-received text", 1_700_000_000_001)
    await receive("seen", SEEN, f"Your code is {CODE}", 1_700_000_000_002)
    await receive("other", OTHER, "a hidden-received one more", 1_700_000_000_003)
    await send("hidden-out", HIDDEN, "a hidden-sent text")
    await send("other-out", OTHER, "a hidden-waiting text")
    await send("seen-out", SEEN, "hello")

    def add_parts(tx: Tables) -> None:
        parts = (part("text/plain", "hidden-part.txt", b"a hidden-part in it"),)
        tx.media_parts.add(ids["hidden"], 1, parts)

    await web.database.write(add_parts)
    tokens = []
    for text, count in (("hidden-batch", "1"), ("hidden-draft", "")):
        answer = await owner.send("/compose", {"to": OTHER, "text": f"a {text} text"})
        token = str(answer.headers["Location"]).rpartition("/")[2]
        if count:
            sent = await owner.send(f"/compose/{token}", {"count": count})
            assert sent.status_code == 303, sent.text
        tokens.append(token)
    limits = {"to": ["+1555*"], "from": ["+1555*"], "codes": "hidden"}
    wanted = {"limits": limits} if "read" in scopes else {}
    made = await web.call("POST", f"/keys/{ORG}", {"name": "agent", "scopes": scopes, **wanted})
    messages = [str(ids[name]) for name in ids]
    return World(
        key=made.json["id"],
        # One that may send to all knows the names of all.
        secrets=[one for one in CANARIES if wanted or one not in NAMED],
        limited=await Person.signed_in(web, made.json["key"], org=""),
        places={
            "conversations address": (HIDDEN, SEEN, OTHER),
            "messages id": messages,
            "media id": messages,
            "media n": ("1", "2"),
            "compose token": tokens,
            "batches token": tokens,
            "phones id": (str(phone),),
            "phones slot": ("0",),
            "contacts number": (HIDDEN, SEEN),
            "templates id": ("1",),
            "keys id": ("1", made.json["id"]),
            "webhooks id": ("1",),
            "hooks id": ("1",),
            "webhooks n": ("1",),
            "assistants id": ("1",),
            "sessions id": ("1", "2"),
            "operator org": (ORG,),
        },
    )


def filled(fields: Mapping[str, str], world: World) -> dict[str, str]:
    """Returns fields with the names of what is hidden in place of what stands for them."""
    batch, draft = world.places["compose token"]
    known = {"$hidden": world.places["messages id"][0], "$batch": batch, "$draft": draft}
    return {name: known.get(value, value) for name, value in fields.items()}


def others_rows(database: Any, key: str) -> dict[str, list[Any]]:
    """Returns all rows but those of what the key sees, and of what it has made."""
    with closing(sqlite3.connect(database.path)) as connection:
        rows: dict[str, list[Any]] = {}
        for table in TABLES:
            found = connection.execute(f"SELECT * FROM {table}").fetchall()
            rows[table] = [row for row in found if SEEN not in row and key not in row]
    return rows


@pytest.mark.parametrize("scopes", [("send", "read"), ("send",)])
async def test_a_key_with_limits_finds_nothing_beyond_them(
    web: Web, monkeypatch: pytest.MonkeyPatch, scopes: tuple[str, ...]
) -> None:
    made = await world(web, scopes)
    monkeypatch.setattr(Visit, "query", property(lambda _: Heard(request.args)))
    for route in ROUTES:
        if "GET" not in route.methods:
            continue
        for path in made.paths(route):
            if route.scope not in {None, *scopes}:
                await made.limited.look(path, 403)
                continue
            Heard.read.clear()
            await made.look(path, {})
            unknown = Heard.read - set(ASKED)
            assert not unknown, f"{route.path} reads {unknown}: say in ASKED what it is asked for."
            for name in sorted(Heard.read):
                for value in ASKED[name]:
                    await made.look(path, {name: value})


async def test_a_key_with_limits_changes_nothing_beyond_them(web: Web) -> None:
    made = await world(web)
    before = others_rows(web.database, made.key)
    for route in ROUTES:
        if "POST" in route.methods and route.scope not in {"manage", OWNER_SCOPE}:
            for path in made.paths(route):
                for fields in (FORM, {**FORM, "unread": "1", "upto": ""}):
                    answer = await made.limited.send(path, filled(fields, made))
                    assert answer.status_code < 500, (path, answer.text)
                    # What it was asked with, it may say again.
                    assert not made.found(answer.text, f"{path} {HIDDEN}"), path
    assert others_rows(web.database, made.key) == before
