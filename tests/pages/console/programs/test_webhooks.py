"""Webhooks are made, tested, changed and watched by hand."""

import re
from typing import Any

import pytest

from phonegate.domain.status_callbacks import expect
from phonegate.domain.webhook_standing import disable
from phonegate.model.callbacks import Callback
from phonegate.model.webhooks import Attempt
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, Web, known_phone
from tests.pages.console.conftest import Person

FIELDS = {
    "name": "crm",
    "url": "https://example.org/sms",
    "events": ["message.received", "phone.*"],
    "headers": "Authorization: Bearer 9b1c7d2e-4f2a",
    "shape": "standard",
    "address": "",
    "phone": "",
}


@pytest.fixture
async def person(web: Web) -> Person:
    return await Person.signed_in(web)


async def the_hook(web: Web) -> dict[str, Any]:
    listed = await web.call("GET", f"/webhooks/{ORG}")
    assert listed.json["count"] == 1
    found: dict[str, Any] = listed.json["webhooks"][0]
    return found


async def take_up(web: Web, id_: int, count: int, attempts: list[Attempt]) -> None:
    """Has so many events on their way, of which the first have been tried and are over."""

    def op(tx: Tables) -> None:
        org = tx.orgs.get(ORG)
        assert org is not None
        for number in range(count):
            tx.events.record(org.id, "phone.online", NOW, phone=number + 1, data={"id": number})

    await web.database.write(op)

    def deliver(tx: Tables) -> None:
        org = tx.orgs.get(ORG)
        hook = tx.webhooks.get(0 if org is None else org.id, id_)
        assert hook is not None
        tx.deliveries.take(hook, count, lambda _: True, NOW)
        for one, attempt in zip(tx.deliveries.page(id_, count)[::-1], attempts, strict=False):
            tx.deliveries.finish(one.n, attempt, None)

    await web.database.write(deliver)


async def test_a_webhook_is_made_and_its_secret_is_shown_once(web: Web, person: Person) -> None:
    assert "No webhooks yet" in (await person.look("/webhooks")).text
    form = await person.look("/webhooks/new")
    # Every type of the one list, with its meaning.
    assert form.text.count('name="events"') == 22
    assert "A phone is connected no more." in form.text
    made = await person.send("/webhooks", FIELDS)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.text.replace("&#43;", "+"))
    assert secret is not None
    assert made.headers["Cache-Control"] == "no-store"
    hook = await the_hook(web)
    assert (hook["name"], hook["events"]) == ("crm", ["message.received", "phone.*"])
    assert hook["headers"] == {"Authorization": "…4f2a"}
    for path in ("/webhooks", f"/webhooks/{hook['id']}", f"/webhooks/{hook['id']}/change"):
        page = (await person.look(path)).text
        assert secret[0] not in page
        assert "9b1c7d2e" not in page


async def test_what_is_wrong_is_said_and_nothing_typed_is_lost(web: Web, person: Person) -> None:
    wrong = {**FIELDS, "url": "ftp://x", "events": [], "headers": "Host: x", "name": "<b>"}
    answer = await person.send("/webhooks", wrong)
    assert answer.status_code == 400
    for shown in ('href="#f-url"', 'href="#f-events"', 'value="&lt;b&gt;"', "Host: x</textarea>"):
        assert shown in answer.text
    answer = await person.send("/webhooks", {**FIELDS, "headers": "Host: x"})
    assert "“Host” is set by the gateway itself." in answer.text
    answer = await person.send("/webhooks", {**FIELDS, "url": "http://127.0.0.1/x"})
    assert "private_networks" in answer.text or "allow" in answer.text
    assert (await web.call("GET", f"/webhooks/{ORG}")).json["count"] == 0


async def test_a_webhook_is_changed_and_what_is_emptied_is_taken_away(
    web: Web, person: Person
) -> None:
    phone = await known_phone(web.database)
    await person.send("/webhooks", {**FIELDS, "phone": str(phone)})
    hook = await the_hook(web)
    form = await person.look(f"/webhooks/{hook['id']}/change")
    assert f'<option value="{phone}" selected>' in form.text
    changes = {
        **FIELDS,
        "name": "",
        "events": "message.*",
        "address": "+15553334444",
        "headers": "X-A: 1",
        "remove_header": "Authorization",
    }
    answer = await person.send(f"/webhooks/{hook['id']}", changes)
    assert answer.status_code == 303, answer.text
    changed = await the_hook(web)
    assert changed["headers"] == {"X-A": "…"}
    assert [changed[name] for name in ("name", "phone", "address", "events")] == [
        None,
        None,
        "+15553334444",
        ["message.*"],
    ]


async def test_a_filter_stays_that_the_person_may_not_look_up(web: Web) -> None:
    phone = await known_phone(web.database)
    body = {"url": FIELDS["url"], "events": ["message.*"], "phone": phone}
    made = await web.call("POST", f"/webhooks/{ORG}", body)
    key = await web.call("POST", f"/keys/{ORG}", {"name": "admin", "scopes": ["manage"]})
    person = await Person.signed_in(web, secret=key.json["key"], org="")
    form = await person.look(f"/webhooks/{made.json['webhook']['id']}/change")
    assert f'<option value="{phone}" selected>phone {phone}</option>' in form.text


async def test_a_test_shows_what_the_receiver_answered_as_text(web: Web, person: Person) -> None:
    await person.send("/webhooks", FIELDS)
    hook = await the_hook(web)
    answer = "<script>alert(1)</script>"
    web.receiver.answers.append(
        Attempt(at=NOW, ms=7, status=500, error="It answered 500.", answer=answer)
    )
    sent = await person.send(f"/webhooks/{hook['id']}/test")
    assert sent.status_code == 303
    page = await person.look(sent.headers["Location"].removeprefix("/console"))
    assert "The receiver answered 500 in 7 ms" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert answer not in page.text
    assert 'details class="delivery grow" open' in page.text


async def test_the_log_shows_failures_and_goes_on_to_older_ones(web: Web, person: Person) -> None:
    await person.send("/webhooks", FIELDS)
    id_ = (await the_hook(web))["id"]
    bad = Attempt(at=NOW, ms=9, status=503, error="It answered 503.", answer="busy")
    good = Attempt(at=NOW, ms=9, status=200)
    await take_up(web, id_, 40, [bad, *[good] * 34, bad])
    page = await person.look(f"/webhooks/{id_}")
    assert page.text.count("data-n=") == 30
    older = re.search(r'data-load href="/console([^"]+)"', page.text)
    assert older is not None
    rest = await person.look(older[1].replace("&amp;", "&"))
    assert rest.text.count("data-n=") == 10
    assert "data-load" not in rest.text
    failed = await person.look(f"/webhooks/{id_}?failed=1")
    assert failed.text.count("data-n=") == 2
    assert "busy" in failed.text
    part = await person.client.get(f"/console/webhooks/{id_}", headers={"X-Console": "script"})
    assert part.text.count("data-n=") == 30
    assert "<html" not in part.text
    assert (await person.look(f"/webhooks/{id_}?before=0", 400)).status_code == 400


async def test_a_delivery_is_replayed(web: Web, person: Person) -> None:
    await person.send("/webhooks", FIELDS)
    id_ = (await the_hook(web))["id"]
    await take_up(web, id_, 1, [Attempt(at=NOW, ms=9, status=503, error="It answered 503.")])
    page = await person.look(f"/webhooks/{id_}")
    n = re.search(r'data-n="(\d+)"', page.text)
    assert n is not None
    sent = await person.send(f"/webhooks/{id_}/deliveries/{n[1]}/replay")
    assert sent.status_code == 303
    log = (await web.call("GET", f"/webhooks/{ORG}/{id_}/deliveries")).json["deliveries"]
    assert [one["event_id"] is None for one in log] == [False] * len(log)
    assert log[0]["next_at"] is not None
    assert (await person.send(f"/webhooks/{id_}/deliveries/99/replay")).status_code == 404


async def test_a_secret_is_rotated_and_a_webhook_enabled_and_removed(
    web: Web, person: Person
) -> None:
    await person.send("/webhooks", FIELDS)
    hook = await the_hook(web)
    id_ = hook["id"]
    await person.look(f"/webhooks/{id_}/rotate")
    assert (await the_hook(web))["secret"] == hook["secret"]
    rotated = await person.send(f"/webhooks/{id_}/rotate")
    assert "whsec_" in rotated.text
    assert (await the_hook(web))["old_secret_until"] is not None
    await web.database.write(
        lambda tx: tx.webhooks.set(id_, disabled_at=NOW, disabled_reason="It answered 410 Gone.")
    )
    page = await person.look(f"/webhooks/{id_}")
    assert "It answered 410 Gone." in page.text
    assert (await person.send(f"/webhooks/{id_}/enable")).status_code == 303
    assert (await the_hook(web))["enabled"]
    assert "Remove the webhook crm?" in (await person.look(f"/webhooks/{id_}/remove")).text
    await person.send(f"/webhooks/{id_}/remove")
    assert (await web.call("GET", f"/webhooks/{ORG}")).json["count"] == 0
    await person.look(f"/webhooks/{id_}", 404)


async def test_those_for_status_callbacks_offer_what_can_be_done_with_them(
    web: Web, person: Person
) -> None:
    def accept(tx: Tables) -> int:
        org = tx.orgs.get(ORG)
        assert org is not None
        callback = Callback(shape="kannel", url="https://a.example/dlr?token=hunter2", mask=3)
        expect(tx, org.id, [callback], NOW)
        (made,) = tx.webhooks.of_org(org.id)
        disable(tx, made, "Every call has failed for three days.", NOW)
        return made.id

    id_ = await web.database.write(accept)
    listed = (await person.look("/webhooks")).text
    assert "Status callbacks of messages, in the form of Kannel" in listed
    page = (await person.look(f"/webhooks/{id_}")).text
    assert "hunter2" not in listed + page
    for offered in ("enable", "remove"):
        assert f"/webhooks/{id_}/{offered}" in page
    for missing in ("test", "change", "rotate"):
        assert f"/webhooks/{id_}/{missing}" not in page
