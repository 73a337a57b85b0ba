"""The screen of dialects: what to enter in programs that speak the API of another gateway."""

from typing import Final

from quart import Response

from phonegate.bind_address import leads_to_loopback
from phonegate.model.twilio_ids import account_sid
from phonegate.pages.console.programs.gateway_address import gateway_address
from phonegate.pages.console.visit import Route, Visit


async def show(visit: Visit) -> Response:
    """Shows the dialects that are served, each with its addresses."""
    base = gateway_address(visit)
    return await visit.page(
        "console/dialects.html",
        account_sid=account_sid(visit.principal.org),
        base=base,
        country=visit.services.org_options.of(visit.principal.org).default_country,
        is_local=leads_to_loopback(base),
        org=visit.principal.org_name,
        dialects=[
            (one, [f"{base}{path}" for path in one.addresses]) for one in visit.calls.dialects
        ],
    )


ROUTES: Final = (Route(path="/dialects", scope="send", view=show),)
