"""What holds for every screen of the console, those to come included."""

import re
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

from phonegate import pages
from phonegate.model.principal import OWNER_SCOPE
from phonegate.pages.console.screens import MENU, ROUTES
from phonegate.pages.console.visit import Route
from phonegate.store.database import Database
from tests.api.conftest import HOME, OPERATOR_TOKEN, ORG, Web, database, web
from tests.pages.console.conftest import Person

__all__ = ["database", "web"]

FOLDER = Path(pages.__file__).parent
TEMPLATES = sorted((FOLDER / "templates" / "console").rglob("*.html"))
SCRIPTS = sorted((FOLDER / "files" / "console").glob("*.js"))

DRAWINGS = frozenset({"SHAPES[name]", "STATE_ICONS[status]"})
"""What is written as it is: shapes that stand in the templates themselves."""

PUBLIC = frozenset({"sign_in.html", "set_up.html"})
"""Templates with forms of visitors, whose proof is another."""


def address(route: Route) -> str:
    """An address of a route, of what is not there."""
    return re.sub(r"<[^>]+>", "1", route.path)


def routes(*, reading: bool) -> Iterator[Route]:
    for route in ROUTES:
        if ("GET" in route.methods) == reading or len(route.methods) > 1:
            yield route


async def key(web: Web, *scopes: Any) -> str:
    org = (await web.services.accounts.orgs.named(ORG)).id
    _, text = await web.services.accounts.keys.add(org, "some", scopes)
    return text


async def test_without_a_session_each_leads_to_the_sign_in(web: Web) -> None:
    async with web.client() as client:
        for route in routes(reading=True):
            path = f"/console{address(route)}"
            answer = await client.get(path)
            assert answer.status_code == 303, path
            assert answer.headers["location"].startswith("/console/sign-in"), path
            told = await client.get(path, headers={"X-Console": "script"})
            assert (told.status_code, told.json()["code"]) == (401, "unauthorized"), path
        for route in routes(reading=False):
            answer = await client.post(f"/console{address(route)}", headers={"Origin": HOME})
            assert "<h1>Sign in</h1>" in answer.text, route.path


async def test_none_takes_a_form_that_is_not_its_own_pages(web: Web) -> None:
    person = await Person.signed_in(web)
    operator = await Person.signed_in(web, OPERATOR_TOKEN, org="")
    await person.look("/sessions")
    await operator.look("/sessions")
    for route in routes(reading=False):
        one = operator if route.scope == OWNER_SCOPE else person
        path, right = f"/console{address(route)}", one.csrf
        for csrf, headers in (
            ("", {"Origin": HOME}),
            ("0" * 32, {"Origin": HOME}),
            (right, {"Origin": f"{HOME}:9000"}),
            (right, {"Origin": "https://evil.example"}),
            (right, {"Origin": "null"}),
            (right, {"Sec-Fetch-Site": "same-site"}),
        ):
            answer = await one.client.post(path, data={"csrf": csrf}, headers=headers)
            assert answer.status_code == 403, (path, csrf, headers)


async def test_none_goes_beyond_the_scopes_of_its_session(web: Web) -> None:
    people = {
        "send": await Person.signed_in(web, await key(web, "send"), org=""),
        "read": await Person.signed_in(web, await key(web, "read"), org=""),
        "manage": await Person.signed_in(web, await key(web, "manage"), org=""),
        OWNER_SCOPE: await Person.signed_in(web, OPERATOR_TOKEN, org=""),
    }
    for person in people.values():
        await person.look("/sessions")
    for route in ROUTES:
        for scope, person in people.items():
            if route.scope in (None, scope):
                continue
            if "GET" in route.methods:
                answer = await person.client.get(f"/console{address(route)}")
                assert answer.status_code == 403, (scope, route)
            if "POST" in route.methods:
                answer = await person.send(address(route))
                assert answer.status_code == 403, (scope, route)


async def test_none_fails_at_what_no_page_leads_to(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/sessions")
    for value, route in product(("9" * 5_000, "%00", "%FF", "..%2F.."), ROUTES):
        path = re.sub(r"<[^>]+>", value, route.path)
        # To pair a phone needs more of a gateway than there is here.
        if route.scope == OWNER_SCOPE or path == route.path or path.startswith("/phones/pair"):
            continue
        if "GET" in route.methods:
            answer = await person.client.get(f"/console{path}")
            assert answer.status_code < 500, path
        if "POST" in route.methods:
            assert (await person.send(path)).status_code < 500, path


async def test_nothing_changes_by_reading(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await Person.signed_in(web)
    await person.look("/sessions")

    # The first look at a page has the org's events recorded from then on. What needs more of a
    # gateway than there is here fails.
    reading = [
        route
        for route in routes(reading=True)
        if (await person.client.get(f"/console{address(route)}")).status_code < 500
    ]
    assert len(reading) > len(list(routes(reading=True))) - 5

    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it writes")

    monkeypatch.setattr(Database, "write", refuse)
    for route in reading:
        answer = await person.client.get(f"/console{address(route)}")
        assert answer.status_code < 500, (route.path, answer.text)


async def test_each_page_has_a_title_of_its_own_and_headings_in_order(web: Web) -> None:
    person = await Person.signed_in(web)
    operator = await Person.signed_in(web, OPERATOR_TOKEN, org="")
    pages = [(route.scope, route.path) for route in routes(reading=True) if "<" not in route.path]
    searches = ["/conversations?q=hello", "/conversations?unread=1", "/contacts?q=hello"]
    titles = []
    for scope, path in [*pages, *((None, path) for path in searches)]:
        one = operator if scope == OWNER_SCOPE else person
        answer = await one.client.get(f"/console{path}")
        if answer.status_code != 200 or "</title>" not in answer.text:
            continue  # it leads elsewhere, or is a part of a page, or a file
        titles.append(answer.text.partition("<title>")[2].partition("</title>")[0])
        levels = [int(level) for level in re.findall(r"<h([1-6])\b", answer.text)]
        # The list of keys is a dialog, which each page ends with.
        assert (levels[0], levels.count(1)) == (1, 1), (path, levels)
        assert all(next_ <= level + 1 for level, next_ in pairwise(levels)), (path, levels)
    assert len(titles) > len(MENU)
    assert len(set(titles)) == len(titles), sorted(titles)


def test_each_form_that_is_sent_proves_its_page() -> None:
    for template in TEMPLATES:
        for form in re.findall(r"<form\b[^>]*>.*?</form>", template.read_text(), re.DOTALL):
            if 'method="post"' not in form.partition(">")[0]:
                continue
            proof = 'name="csrf"' if template.name in PUBLIC else "csrf()"
            assert proof in form or template.name == "set_up.html", f"{template.name}: {form}"


def test_templates_and_scripts_run_nothing_that_came_from_outside() -> None:
    for template in TEMPLATES:
        text = template.read_text()
        raw = {found.strip() for found in re.findall(r"\{\{([^}]*)\|\s*safe\b", text)}
        assert raw <= DRAWINGS, template.name
        assert not re.search(r"autoescape|Markup", text), template.name
        assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>", text), template.name
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), template.name
        # What scrolls by itself is reached by keys.
        for scrolls in re.findall(r'<[a-z]+ class="(?:table-wrap|batch-text)"[^>]*>', text):
            assert 'tabindex="0" role="region"' in scrolls, template.name
        # A part that is fetched again would be read out each time: scripts say what is new.
        shouts = re.search(r"<(?=[^>]*\sdata-part=)[^>]*\saria-live=\"polite", text)
        assert not shouts, template.name
        # Only our own pages are led to; links to others' texts are not made.
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), template.name
    for script in SCRIPTS:
        text = script.read_text()
        writes = re.findall(r"\.(innerHTML|outerHTML)\s*=|insertAdjacentHTML|document\.write", text)
        assert len(writes) <= (script.name == "ask.js"), script.name
        assert not re.search(r"\beval\(|new Function|https?://", text), script.name


def test_the_menu_leads_to_screens() -> None:
    paths = {route.path: route for route in ROUTES if "GET" in route.methods}
    for entry in MENU:
        assert entry.path in paths, entry
        assert paths[entry.path].scope in (None, entry.scope), entry
    assert len({entry.path for entry in MENU}) == len(MENU)
