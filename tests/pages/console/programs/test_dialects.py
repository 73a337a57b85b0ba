"""What to enter in other programs is shown for the dialects that are served."""

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
        for path in one.addresses:
            assert f"{PUBLIC_URL}{path}<" in page.text
    assert "/console/dialects" in (await person.look("/keys")).text
