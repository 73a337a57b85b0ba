"""The page of recipes is the one that is printed from them, and has every program that it must."""

import re

import pytest

from phonegate.model.dialects import DIALECTS
from tests.recipes import page
from tests.recipes.programs import PROGRAMS
from tests.recipes.recipe import ACCOUNT, GATEWAY, HOOK, KEY, TWILIO, Message, Program, Way

WAYS = [(program, way) for program in PROGRAMS for way in program.ways]

KNOWN = {
    "Alertmanager",
    "Any program with an HTTP SMS gateway",
    "Apprise",
    "authentik",
    "authgear",
    "Cal.com",
    "Chatwoot",
    "ERPNext and Frappe",
    "Grafana",
    "healthchecks",
    "Home Assistant",
    "Keycloak",
    "LibreNMS",
    "listmonk",
    "Logto",
    "Mautic",
    "n8n",
    "Nextcloud",
    "Node-RED",
    "Odoo",
    "Ory Kratos",
    "Programs for SMS Gateway for Android",
    "Programs with Twilio's API and a base URL",
    "RapidPro and TextIt",
    "Rocket.Chat",
    "Supabase Auth (GoTrue)",
    "Traccar",
    "Uptime Kuma",
    "WordPress: WP SMS, WooCommerce",
    "Zabbix",
    "ZITADEL",
}
"""The programs whose wire is known from their sources, or from what their users write."""


def test_every_known_program_has_a_recipe_and_each_stands_once() -> None:
    assert {program.name for program in PROGRAMS} == KNOWN
    assert len(PROGRAMS) == len(KNOWN)
    titles = [(program.name, way.title) for program, way in WAYS]
    assert len(titles) == len(set(titles))
    assert all(way.title for program, way in WAYS if len(program.ways) > 1)


def test_every_dialect_is_used_by_some_program() -> None:
    assert {way.dialect for _, way in WAYS} == set(DIALECTS) == set(page.DIALECTS)


@pytest.mark.parametrize(("program", "way"), WAYS, ids=[f"{p.name}, {w.title}" for p, w in WAYS])
def test_what_is_entered_goes_into_the_request(program: Program, way: Way) -> None:
    """A setting that a request does not depend on would be printed for nothing."""
    shown = "".join(way.settings.values())
    for request in way.build(way.settings, Message()):
        if way.stand_in:
            assert request.url.startswith(TWILIO), program.name
        elif way.hook:
            assert request.url == HOOK
        else:
            assert request.url.startswith(GATEWAY)
    assert (HOOK in shown) == (way.hook is not None)
    assert (ACCOUNT in shown) == (way.dialect == "twilio")
    assert (KEY in shown) == (way.hook is None)


def test_each_program_that_was_run_has_its_recipes() -> None:
    (kuma,) = [program for program in PROGRAMS if program.name == "Uptime Kuma"]
    assert len(kuma.ways) == 6


def test_links_of_the_page_lead_somewhere() -> None:
    text = page.PAGE.read_text()
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        other = page.PAGE.parent / file if file else page.PAGE
        assert other.exists(), target
        if not file:
            assert anchor in anchors, target
