"""What an organisation has chosen for itself, as a form."""

from tests.api.conftest import ORG, Web, database, web
from tests.pages.console.conftest import Person

__all__ = ["database", "web"]


async def test_what_is_chosen_is_shown_and_changed(web: Web) -> None:
    person = await Person.signed_in(web)
    page = (await person.look("/organisation")).text
    assert 'name="default_country" type="text" value=""' in page
    assert 'name="max_characters" type="text" value="1600"' in page
    chosen = {"default_country": " +49 ", "max_characters": "5000"}
    answer = await person.send("/organisation", chosen)
    assert answer.headers["Location"] == "/console/organisation"
    page = (await person.look("/organisation")).text
    assert "It holds from now on." in page
    assert 'value="DE"' in page
    assert 'value="5000"' in page
    org = await web.services.accounts.orgs.named(ORG)
    options = web.services.org_options.of(org.id)
    assert (options.default_country, options.max_characters) == ("DE", 5000)
    await person.send("/organisation", {"default_country": "", "max_characters": ""})
    options = web.services.org_options.of(org.id)
    assert (options.default_country, options.max_characters) == (None, 5000)


async def test_what_is_wrong_is_said_beside_the_field(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/organisation")
    for field, value, words in (
        ("default_country", "Germany", "Must be a country in the two letters of ISO 3166"),
        ("default_country", "+999", "Must be a country in the two letters of ISO 3166"),
        ("max_characters", "0", "Must be at least 1"),
        ("max_characters", "39016", "Must be at most 39015"),
        ("max_characters", "many", "Must be a whole number"),
    ):
        right = {"default_country": "DE", "max_characters": "100"}
        answer = await person.send("/organisation", right | {field: value})
        assert answer.status_code == 400
        assert words in answer.text
        assert f'value="{value}"' in answer.text
    org = await web.services.accounts.orgs.named(ORG)
    assert web.services.org_options.of(org.id).default_country is None
