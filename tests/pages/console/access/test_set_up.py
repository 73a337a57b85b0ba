"""The set-up of an empty gateway over HTTP: the form, the secret, and all that goes wrong."""

import html
import re

import httpx
import pytest

from phonegate.domain.throttle import PAIR
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from tests.api.conftest import HOME, Web, build_web
from tests.captured_logs import capture_logs
from tests.pages.console.conftest import database

__all__ = ["database"]

ORIGIN = {"Origin": HOME}
SHOWN = re.compile(r'<code id="secret">([^<]+)</code>')


@pytest.fixture
async def new(database: Database) -> Web:
    """A gateway without an org."""
    return build_web(database)


def link(web: Web) -> str:
    path = web.services.accounts.set_up.path
    assert path is not None
    return path


async def set_up(client: httpx.AsyncClient, path: str, **form: str) -> httpx.Response:
    fields = {"org": "home", "kind": "made", "close": "yes", **form}
    return await client.post(path, data=fields, headers=ORIGIN)


async def test_the_first_org_is_made_and_its_browser_signed_in(new: Web) -> None:
    with capture_logs() as lines:
        async with new.client() as client:
            path = link(new)
            form = await client.get(path)
            assert form.status_code == 200
            assert "no-store" in form.headers["cache-control"]
            assert form.headers["referrer-policy"] == "same-origin"
            made = await set_up(client, path)
            assert made.status_code == 200
            assert made.headers["cache-control"] == "no-store"
            secret = html.unescape(SHOWN.findall(made.text)[0])
            steps = await client.get("/console/first-steps")
            assert steps.status_code == 200
            assert "<strong>home</strong>" in steps.text
            again = await set_up(client, path, org="other")
            assert again.status_code == 409
            assert "This gateway is set up" in again.text
    assert new.services.accounts.orgs.registration.mode == "closed"
    read = await new.call("GET", "/messages/home", secret=secret)
    assert read.status == 200
    logged = str(lines)
    assert secret not in logged
    assert path.rpartition("/")[2] not in logged
    assert "/console/set-up/<token>" in logged


async def test_the_start_page_of_an_empty_gateway_says_how_to_set_it_up(new: Web) -> None:
    said = "This gateway is new"
    page = await new.call("GET", "/", secret=None)
    assert said in page.data.decode()
    assert link(new).rpartition("/")[2] not in page.data.decode()
    async with new.client() as client:
        await set_up(client, link(new))
    assert said not in (await new.call("GET", "/", secret=None)).data.decode()


async def test_a_secret_of_ones_own_is_not_shown(new: Web) -> None:
    own = "a-secret-of-my-own"
    async with new.client() as client:
        made = await set_up(client, link(new), kind="own", secret=own)
    assert made.status_code == 200
    assert own not in made.text
    assert (await new.call("GET", "/messages/home", secret=own)).status == 200


async def test_registration_stays_as_it_is_where_that_is_wanted_or_forced(new: Web) -> None:
    rule = new.services.accounts.orgs.registration
    async with new.client() as client:
        path = link(new)
        rule.forced, rule.forced_by = "open", "file gateway.toml"
        page = (await client.get(path)).text
        assert "file gateway.toml" in page
        assert 'name="close"' not in page
        rule.forced = None
        made = await client.post(path, data={"org": "home", "kind": "made"}, headers=ORIGIN)
        assert made.status_code == 200
    assert rule.mode == "local"


async def test_registration_that_could_not_be_closed_is_named(
    new: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(mode: str) -> None:
        raise StorageUnavailable(mode)

    monkeypatch.setattr(new.services.accounts.orgs, "choose_registration", fail)
    async with new.client() as client:
        made = await set_up(client, link(new))
    assert made.status_code == 200
    assert "Registration could not be closed" in made.text
    assert SHOWN.search(made.text)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"org": "x"}, "The name must be 3 to 50"),
        ({"org": '"><script>alert(1)</script>'}, "The name must be 3 to 50"),
        ({"kind": "own", "secret": "short"}, "The secret must be 12 to 50"),
        ({"kind": "own", "secret": ""}, "The secret is missing"),
        ({"kind": "own", "secret": "my-secret-key-123"}, "stands in the documents"),
    ],
    ids=["name", "script", "short", "none", "published"],
)
async def test_a_wrong_form_is_shown_again_as_it_was(
    new: Web, form: dict[str, str], said: str
) -> None:
    async with new.client() as client:
        path = link(new)
        again = await set_up(client, path, **form)
        assert again.status_code == 400
        assert said in again.text
        assert html.escape(form.get("org", "home"), quote=False) in again.text.replace("&#34;", '"')
        assert "<script>alert" not in again.text
        assert "set-cookie" not in again.headers
        assert (await set_up(client, path)).status_code == 200


async def test_another_link_opens_nothing_and_guessers_wait(new: Web) -> None:
    async with new.client() as client:
        for number in range(PAIR.burst):
            wrong = await client.get(f"/console/set-up/guess-{number}")
            assert wrong.status_code == 404
            assert "phonegate setup" in wrong.text
        slowed = await client.get(link(new))
        assert slowed.status_code == 429
        assert int(slowed.headers["retry-after"]) > 0
        assert (await set_up(client, link(new))).status_code == 429


async def test_a_page_of_another_site_sets_nothing_up(new: Web) -> None:
    async with new.client() as client:
        form = {"org": "home", "kind": "made"}
        foreign = {"Origin": "https://evil.example"}
        refused = await client.post(link(new), data=form, headers=foreign)
    assert refused.status_code == 403
    assert new.services.accounts.set_up.is_open
