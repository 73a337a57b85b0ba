"""The screen of dialects: what to enter in programs that speak the API of another gateway."""

from typing import Final

from quart import Response

from phonegate.model.twilio_ids import account_sid
from phonegate.pages.console.programs.gateway_address import gateway_address
from phonegate.pages.console.visit import Route, Visit


async def show(visit: Visit) -> Response:
    """Shows the dialects that are served, each with its addresses."""
    base = gateway_address(visit)
    return await visit.page(
        "console/dialects.html",
        account_sid=account_sid(visit.principal.org),
        org=visit.principal.org_name,
        dialects=[
            (one, [f"{base}{path}" for path in one.addresses]) for one in visit.calls.dialects
        ],
    )


ROUTES: Final = (Route(path="/dialects", scope=None, view=show),)
