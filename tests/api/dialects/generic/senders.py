"""What the tests of the generic API share: keys, and what is stored."""

from typing import Any

from tests.api.conftest import ORG, Web

TO = "+15553334444"
OTHER = "+15552223333"


async def make_key(web: Web, *scopes: str) -> str:
    """Makes an API key of the org."""
    made = await web.call("POST", f"/keys/{ORG}", {"name": "program", "scopes": list(scopes)})
    assert made.status == 201
    return str(made.json["key"])


async def stored(web: Web) -> list[tuple[str, str]]:
    """Returns recipient and text of all messages, in the order of their storing."""
    return [(one["address"], one["body"]) for one in await stored_whole(web)]


async def stored_whole(web: Web) -> list[dict[str, Any]]:
    """Returns all messages as /messages shows them."""
    found = await web.call("GET", f"/messages/{ORG}?direction=out")
    messages: list[dict[str, Any]] = found.json["messages"]
    return messages


CARRIER = "+1234567890"
"""The number of an assistant, as `with_carrier` makes it."""


async def with_carrier(web: Web) -> None:
    """Gives the org an assistant, whose carrier sends from `CARRIER`."""
    assistant = {
        "name": "support",
        "provider": "telnyx",
        "phone_numbers": [CARRIER],
        "credentials": {"api_key": "KEY0123456789"},
    }
    made = await web.call("POST", f"/assistants?org_id={ORG}", assistant)
    assert made.status == 201
