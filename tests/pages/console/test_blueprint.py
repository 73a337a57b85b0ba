"""Who is let in to the console, and what becomes of the others."""

from tests.api.conftest import OPERATOR_TOKEN, Web
from tests.pages.console.conftest import Person


async def test_a_form_without_the_token_of_its_session_is_refused(web: Web) -> None:
    person = await Person.signed_in(web)
    await person.look("/sessions")
    person.csrf = "0" * 32
    answer = await person.send("/sign-out")
    assert answer.status_code == 403
    await person.look("/sessions")


async def test_a_session_ends_when_it_signs_out(web: Web) -> None:
    person = await Person.signed_in(web)
    answer = await person.send("/sign-out")
    assert answer.status_code == 303
    answer = await person.client.get("/console/sessions")
    assert answer.status_code == 303


async def test_a_page_that_is_not_there(web: Web) -> None:
    person = await Person.signed_in(web)
    assert "There is no such page." in (await person.look("/nowhere", 404)).text


async def test_the_operator_signs_in_by_the_token(web: Web) -> None:
    person = await Person.signed_in(web, OPERATOR_TOKEN, org="")
    assert "Operator" in (await person.look("/sessions")).text
