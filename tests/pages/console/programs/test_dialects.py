"""What to enter in other programs is shown for the dialects that are served."""

import re

from phonegate.api.table import build_table
from phonegate.model.twilio_ids import account_sid
from tests.api.conftest import PUBLIC_URL, Web
from tests.pages.console.conftest import Person


async def test_each_dialect_is_shown_with_its_addresses(web: Web) -> None:
    person = await Person.signed_in(web)
    page = await person.look("/dialects")
    assert account_sid(1) in page.text
    dialects = build_table().dialects
    assert dialects
    for one in dialects:
        assert f">{one.title}<" in page.text
        assert one.addresses, f"{one.name} has no address to enter"
        for path in one.addresses if one.name != "hooks" else ():
            assert f"{PUBLIC_URL}{path}<" in page.text
    assert not re.search(r"<p>[^<]*[`*]", page.text), "signs of Markdown"
    # A hook's URL is its own: there is none to copy here.
    assert "/hooks/…" not in page.text
    assert "/console/hooks" in page.text
    assert "the machine that this browser is on" not in page.text
    assert "/console/dialects" in (await person.look("/keys")).text


async def test_what_numbers_without_a_country_become_is_shown(web: Web) -> None:
    person = await Person.signed_in(web)
    assert "are refused, as long as no country is set" in (await person.look("/dialects")).text
    await web.services.org_options.set(1, default_country="DE")
    assert "are read as those of DE" in (await person.look("/dialects")).text
