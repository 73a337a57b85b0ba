"""The screens of phones: what they show, and what a person does there."""

import attrs
import pytest

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.managed_phones import Signs
from phonegate.model.messages import NewMessage
from phonegate.model.phones import Health, Sim
from phonegate.pages.console.phones import phone_screens
from phonegate.pages.console.phones.phone_screens import forgotten_words
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, Web
from tests.pages.console.conftest import Person

NUMBER = "+15551112222"
EVIL = "<script>alert(1)</script>\u202e"


@attrs.define
class Site:
    web: Web
    person: Person
    org: int

    async def add(
        self, device: str, *, name: str | None = None, online: bool = False, numbered: bool = True
    ) -> int:
        """Makes a phone with a SIM, perhaps connected, with a message for it."""

        def add(tx: Tables) -> int:
            row = tx.phones.connect(self.org, device, NOW - 7_200_000)
            tx.phones.describe(row.id, name=name, model="Pixel 7", app="demo/1.0", now=NOW)
            number = f"{NUMBER}{row.id}" if numbered else None
            tx.phones.report_sims(self.org, row.id, [Sim(slot=0, number=number, carrier="AT&T")], 1)
            tx.phones.note_health(
                row.id, Health(battery=15, signal=-71, network="wifi"), NOW - 5_400_000
            )
            tx.phone_history.came(row.id, NOW - 7_200_000)
            if not online:
                tx.phone_history.went(row.id, NOW - 3_600_000)
            return row.id

        phone = await self.web.database.write(add)
        if online:
            sims = (Sim(slot=0, number=f"{NUMBER}{phone}"),)
            self.web.phones.phones.append(
                OnlinePhone(phone=phone, device_id=device, name=name, sims=sims)
            )
            self.web.phones.known_signs[phone] = Signs(heard_s=1.0)
        return phone

    async def queue(self, phone: int, body: str) -> None:
        message = NewMessage(
            org=self.org, address="+15553334444", body=body, created_at=NOW, segments=1,
            phone=phone, sim_selector="0",
        )  # fmt: skip
        await self.web.database.write(lambda tx: tx.messages.insert(message))


@pytest.fixture
async def site(web: Web) -> Site:
    org = await web.services.accounts.orgs.named("myorg")
    return Site(web, await Person.signed_in(web), org.id)


async def key(web: Web, *scopes: str) -> str:
    made = await web.call("POST", "/keys/myorg", {"name": "some", "scopes": scopes})
    return str(made.json["key"])


async def test_the_list_shows_what_a_phone_is_and_filters(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No phone yet" in (await site.person.look("/phones")).text
    first = await site.add("one", name=EVIL, online=True)
    second = await site.add("two", name="Front counter")
    await site.queue(second, "hello")
    page = (await site.person.look("/phones")).text
    assert "1 of 2 online" in page
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    for said in ("15 %", "low", "-71 dBm, wifi", f"{NUMBER}{first}", "AT&amp;T", "1 message<"):
        assert said in page, said
    assert "Front counter" not in (await site.person.look("/phones?show=online")).text
    away = (await site.person.look("/phones?show=attention")).text
    assert "Front counter" in away
    assert NUMBER + str(first) not in away
    assert "Front counter" in (await site.person.look("/phones?q=COUNTER")).text
    assert "No phone fits" in (await site.person.look("/phones?q=none")).text
    monkeypatch.setattr(phone_screens, "PER_PAGE", 1)
    assert "Page 2 of 2" in (await site.person.look("/phones?page=99")).text
    part = await site.person.client.get("/console/phones", headers={"X-Console": "script"})
    assert "Page 1 of 2" in part.text
    assert "<html" not in part.text


async def test_a_phone_has_its_health_what_waits_and_when_it_was_away(site: Site) -> None:
    phone = await site.add("one", name="Kitchen")
    await site.queue(phone, EVIL)
    page = (await site.person.look(f"/phones/{phone}")).text
    assert "Connected 50 % of the last 24 hours, as far as that is known" in page
    assert "When it was away" in page
    assert "1 h" in page
    assert "Signal, in percent of a good one" in page
    assert "Battery" in page
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page
    assert "/console/conversations/%2B15553334444" in page
    assert "for the phone, which is away" in page
    assert (
        'aria-current="true">7 days' in (await site.person.look(f"/phones/{phone}?period=7d")).text
    )
    # Days and hours are the reader's: NOW is 08:00 in UTC.
    assert "Time zone: UTC." in page
    there = (await site.person.look(f"/phones/{phone}?zone=Asia/Tokyo")).text
    assert "Fri 15 Jan 2027, 16:00" in there
    assert "Time zone: Asia/Tokyo." in there
    await site.person.look("/phones/999", 404)
    await site.person.look("/phones/x", 400)
    part = await site.person.client.get(f"/console/phones/{phone}", headers={"X-Console": "script"})
    assert "What waits for it" in part.text
    assert "<h1" not in part.text


async def test_a_phone_and_its_sim_are_named(site: Site) -> None:
    phone = await site.add("one", name="Kitchen", numbered=False)
    at = f"/phones/{phone}"
    answer = await site.person.send(f"{at}/name", {"name": " Front desk "})
    assert answer.status_code == 303
    page = (await site.person.look(at)).text
    assert "Front desk" in page
    assert "is called Front desk" in page
    wrong = await site.person.send(f"{at}/name", {"name": "x" * 101})
    assert wrong.status_code == 400
    assert "x" * 101 in wrong.text
    assert 'id="f-name-problem"' in wrong.text
    wrong = await site.person.send(f"{at}/sims/0", {"number": "12"})
    assert wrong.status_code == 400
    assert 'id="p-slot-0"' in wrong.text
    assert 'value="12"' in wrong.text
    assert (await site.person.send(f"{at}/sims/0", {"number": NUMBER})).status_code == 303
    assert "number as you gave it" in (await site.person.look(at)).text
    assert (await site.person.send(f"{at}/sims/0", {"number": ""})).status_code == 303
    assert "Number not known" in (await site.person.look(at)).text
    assert (await site.person.send(f"{at}/sims/x", {"number": ""})).status_code == 404
    assert (await site.person.send("/phones/999/name", {"name": "a"})).status_code == 404


async def test_a_phone_is_forgotten_after_a_question(site: Site) -> None:
    phone = await site.add("one", name="Kitchen", online=True)
    await site.queue(phone, "hello")
    asked = (await site.person.look(f"/phones/{phone}/forget")).text
    assert "1 message waits for it. Those that only it can send are cancelled." in asked
    answer = await site.person.send(f"/phones/{phone}/forget")
    assert answer.headers["location"] == "/console/phones"
    page = (await site.person.look("/phones")).text
    assert "Kitchen is forgotten. 1 waiting message was cancelled." in page
    await site.person.look(f"/phones/{phone}", 404)


def test_what_became_of_a_phone_is_said() -> None:
    done = {"cancelled": 2, "uncertain": 1, "revoked_key": "k"}
    said = forgotten_words(None, done)
    assert said == (
        "The phone is forgotten. 2 waiting messages were cancelled. 1 that it had may have been "
        "sent. Its API key was revoked."
    )


async def test_a_key_does_what_it_may(site: Site) -> None:
    phone = await site.add("one", name="Kitchen")
    reader = await Person.signed_in(site.web, await key(site.web, "read"), org="")
    page = (await reader.look(f"/phones/{phone}")).text
    assert "Kitchen" in page
    assert "Forget" not in page
    assert "Rename" not in page
    for path in ("name", "sims/0", "forget"):
        assert (await reader.send(f"/phones/{phone}/{path}", {"name": "x"})).status_code == 403
    sender = await Person.signed_in(site.web, await key(site.web, "send"), org="")
    await sender.look("/phones", 403)
