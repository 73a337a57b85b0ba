"""The screens by which a person pairs a phone."""

from pathlib import Path

import attrs
import pytest

from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.pairing_api import PairingEndpoints
from phonegate.config.settings import HttpSettings
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.pairing import LIFETIME_MS, MOST_TESTS, Pairing
from phonegate.domain.pairing_offers import PairingOffers
from phonegate.model.phones import Sim
from phonegate.pages.app import build_whole_app
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, Web
from tests.pages.console.conftest import Person

NUMBER = "+15551112222"
SCRIPT = {"X-Console": "script"}


@attrs.define
class Site:
    web: Web
    pairing: Pairing
    urls: list[str]
    now: list[int]
    authority: Path
    container: list[bool]

    async def invite(self, person: Person, name: str = "kitchen") -> str:
        answer = await person.send("/phones/pair", {"name": name})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].removeprefix("/console")

    async def connect(self, at: str) -> int:
        org = await self.web.services.accounts.orgs.named(ORG)
        key = at.rpartition("/")[2]

        def connect(tx: Tables) -> int:
            row = tx.phones.connect(org.id, "mine", NOW)
            tx.phones.came_by(row.id, "link", key)
            return row.id

        phone = await self.web.database.write(connect)
        sims = (Sim(slot=0, number=NUMBER),)
        self.web.phones.phones.append(
            OnlinePhone(phone=phone, device_id="mine", name=None, sims=sims)
        )
        return phone


@pytest.fixture
async def site(web: Web, tmp_path: Path) -> Site:
    """A gateway with pairing, whose console is seen at http://gate.lan."""
    services, now, urls = web.services, [NOW], ["http://10.0.0.5:8080"]
    pairing = Pairing(
        web.database,
        services.accounts.orgs,
        services.accounts.keys,
        services.sending,
        web.phones,
        now_ms=lambda: now[0],
    )
    authority, container = tmp_path / "ca.crt", [False]
    offers = PairingOffers(pairing, lambda: urls, lambda: authority, lambda: container[0])
    inner = PairingEndpoints(offers, public_url="").endpoints()
    http = HttpSettings()
    app = build_whole_app(services, http, build_pipeline(services, http), inner=inner)
    return Site(attrs.evolve(web, app=app), pairing, urls, now, authority, container)


async def test_an_invitation_has_all_that_a_phone_needs(site: Site) -> None:
    person = await Person.signed_in(site.web)
    assert "simulated phone" in (await person.look("/phones/pair")).text
    at = await site.invite(person)
    page = (await person.look(at)).text
    assert "Waiting for the phone to connect." in page
    assert "http://gate.lan/pair/" in page
    assert "pgk_" in page
    assert '<svg viewBox="0 0' in page
    assert "style=" not in page
    assert "<code>http://10.0.0.5:8080</code>" in page
    assert "15 more minutes" in page
    # The page is shown again as long as it lasts, and changes nothing by that.
    assert (await person.look(at)).text.count("pgk_") == page.count("pgk_")
    assert len(site.pairing) == 1
    other = (await person.look(f"{at}?address=http%3A%2F%2F10.0.0.5%3A8080")).text
    assert "http://10.0.0.5:8080/pair/" in other
    wrong = (await person.look(f"{at}?address=nonsense")).text
    assert "It must be an address such as https://sms.example.org." in wrong
    assert "http://gate.lan/pair/" in wrong


async def test_the_page_turns_green_as_the_phone_comes(site: Site) -> None:
    person = await Person.signed_in(site.web)
    at = await site.invite(person)
    refused = await person.send(f"{at}/test", {"number": NUMBER})
    assert refused.status_code == 409
    assert "not online yet" in refused.text
    phone = await site.connect(at)
    part = (await person.client.get(f"/console{at}", headers=SCRIPT)).text
    assert 'class="on" data-light="online"' in part
    assert " is connected." in part
    assert f'data-number="{NUMBER}"' in part
    assert "<html" not in part
    wrong = await person.send(f"{at}/test", {"number": "12"})
    assert wrong.status_code == 400
    assert 'value="12"' in wrong.text
    assert (await person.send(f"{at}/test", {"number": NUMBER})).status_code == 303
    assert len(site.web.phones.pushed) == 1
    link = next(iter(site.pairing._links.values()))
    link.came_by.add(phone)
    page = (await person.look(at)).text
    assert 'class="on" data-light="received"' in page
    assert f'href="/console/phones/{phone}"' in page
    assert f"{MOST_TESTS - 1} of {MOST_TESTS} left" in page


async def test_an_invitation_ends(site: Site) -> None:
    person = await Person.signed_in(site.web)
    at = await site.invite(person)
    site.now[0] += LIFETIME_MS
    assert "That invitation has ended" in (await person.look(at, 404)).text
    gone = await person.client.get(f"/console{at}", headers=SCRIPT)
    assert gone.status_code == 404
    assert gone.json()["code"] == "not_found"
    at = await site.invite(person)
    answer = await person.send(f"{at}/cancel")
    assert answer.status_code == 303
    assert "taken back" in (await person.look("/phones")).text
    await person.look(at, 404)
    keys = await site.web.call("GET", f"/keys/{ORG}")
    assert [one["id"] for one in keys.json["keys"]] != [at.rpartition("/")[2]]


async def test_where_no_phone_gets_it_says_what_to_do(site: Site) -> None:
    person = await Person.signed_in(site.web)
    at = await site.invite(person)
    site.urls.clear()
    local = {"Host": "localhost:8080"}
    page = (await person.client.get(f"/console{at}", headers=local)).text
    assert "No address is known" in page
    assert "<svg viewBox" not in page.partition('class="qr"')[2][:100]
    named = await person.client.get(f"/console{at}?address=http://127.0.0.1:1", headers=local)
    assert "No phone reaches" in named.text
    site.authority.write_text("it is looked for alone")
    trusted = (await person.look(f"{at}?address=https://gate.lan")).text
    assert "https://gate.lan/certificate" in trusted


async def test_in_a_container_its_own_address_is_doubted(site: Site) -> None:
    person = await Person.signed_in(site.web)
    at = await site.invite(person)
    site.container[0] = True
    doubt = "The gateway runs in a container."
    assert doubt not in (await person.look(at)).text
    local = await person.client.get(f"/console{at}", headers={"Host": "localhost:8080"})
    assert "http://10.0.0.5:8080/pair/" in local.text
    assert doubt in local.text
    named = await person.client.get(
        f"/console{at}?address=http://192.168.1.5", headers={"Host": "localhost:8080"}
    )
    assert doubt not in named.text


async def test_the_maker_alone_sees_it_and_must_manage(site: Site) -> None:
    person = await Person.signed_in(site.web)
    at = await site.invite(person)
    made = await site.web.call("POST", f"/keys/{ORG}", {"name": "m", "scopes": ["manage", "read"]})
    manager = await Person.signed_in(site.web, made.json["key"], org="")
    await manager.look(at, 404)
    own = await site.invite(manager)
    await manager.look(own)
    await person.look(own, 404)
    made = await site.web.call("POST", f"/keys/{ORG}", {"name": "r", "scopes": ["read"]})
    reader = await Person.signed_in(site.web, made.json["key"], org="")
    await reader.look("/phones/pair", 403)
    refused = await person.send("/phones/pair", {"name": "x" * 101})
    assert refused.status_code == 400
    assert "x" * 101 in refused.text
