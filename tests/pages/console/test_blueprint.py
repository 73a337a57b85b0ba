"""Who is let in to the console, and what becomes of the others."""

import pytest
import trio

from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.model.principal import Principal
from phonegate.pages.console.blueprint import MOST_SENTENCES, PAGES_AT_ONCE
from phonegate.store.database import Database
from tests.api.conftest import HOME, OPERATOR_TOKEN, ORG, Web, build_web
from tests.captured_logs import capture_logs
from tests.pages.console.conftest import Person
from tests.patience import PATIENCE_S


async def test_a_form_without_the_token_of_its_session_is_refused(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/sessions")
    person.csrf = "0" * 32
    answer = await person.send("/sign-out")
    assert answer.status_code == 403
    await person.look("/sessions")


async def test_the_last_sentences_alone_are_kept_for_the_next_page(web: Web) -> None:
    person = await Person.signed_in(web)
    contact = {"name": "Ann", "number": "+15553334444"}
    for _ in range(MOST_SENTENCES + 3):
        assert (await person.send("/contacts", contact, script=True)).status_code == 303
    page = (await person.look("/sessions")).text
    assert page.count("Ann is kept with +15553334444.") == MOST_SENTENCES


async def test_a_session_ends_when_it_signs_out(web: Web) -> None:
    person = await Person.signed_in(web)
    answer = await person.send("/sign-out")
    assert answer.status_code == 303
    answer = await person.client.get("/console/sessions")
    assert answer.status_code == 303


async def test_a_page_of_another_session_gets_nothing(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/sessions")
    headers = {"X-Console": "script", "X-Csrf": person.csrf}
    answer = await person.client.get("/console/unread", headers=headers)
    assert answer.json() == {"ok": True, "unread": 0}
    # In another tab, the browser signs in anew.
    again = await Person.signed_in(web)
    answer = await again.client.get("/console/unread", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_a_page_that_is_not_there(web: Web) -> None:
    person = await Person.signed_in(web)
    assert "There is no such page." in (await person.look("/nowhere", 404)).text


async def test_the_operator_signs_in_by_the_token(web: Web) -> None:
    person = await Person.signed_in(web, OPERATOR_TOKEN, org="")
    assert "Operator" in (await person.look("/sessions")).text


async def test_no_org_takes_all_turns(
    web: Web, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web.make_org("other", "another-good-secret")
    many = await Person.signed_in(web)
    one = await Person.signed_in(web, "another-good-secret", org="other")
    going = trio.Event()
    asks, asking = trio.open_memory_channel[str](PAGES_AT_ONCE + 9)
    unread = web.services.conversations.unread

    async def waits(reader: Principal) -> int:
        asks.send_nowait(reader.org_name)
        await going.wait()
        return await unread(reader)

    monkeypatch.setattr(web.services.conversations, "unread", waits)
    for _ in range(PAGES_AT_ONCE + 3):
        nursery.start_soon(many.look, "/unread")
    with trio.fail_after(PATIENCE_S):
        assert [await asking.receive() for _ in range(PAGES_AT_ONCE)] == [ORG] * PAGES_AT_ONCE
        nursery.start_soon(one.look, "/unread")
        assert await asking.receive() == "other"
    going.set()


async def test_pages_count_as_requests_of_their_org(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phonegate.pages.console.blueprint.perf_counter", lambda: 1_000.0)
    web = build_web(database, rate_limits=RateLimits(Bounds(org_requests_per_s=1)))
    await web.make_org()
    person = await Person.signed_in(web)
    answers = [await person.client.get("/console/contacts") for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert "This org makes too many requests" in answers[-1].text
    assert answers[-1].headers["retry-after"] == "1"


async def test_the_log_has_no_party_of_a_page(web: Web) -> None:
    person = await Person.signed_in(web)
    address = "/console/conversations/%2B15559998888"
    with capture_logs() as lines:
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            await person.client.request(method, f"{address}?q=a-word", headers={"Origin": HOME})
            await person.client.request(method, f"{address}/read/x?q=a-word")
        await person.client.put("/console/sessions")
    assert len(lines) == 9
    assert "15559998888" not in str(lines)
    assert "a-word" not in str(lines)
    assert lines[2]["path"] == "/console/conversations/<address>"
    assert lines[-1]["path"] == "/console/sessions"
