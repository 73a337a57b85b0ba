"""The screen of what an organisation has chosen for itself."""

from typing import Final

from quart import Response

from phonegate.model.bounds import MAX_CHARACTERS, MAX_SEGMENTS
from phonegate.model.refusals import Refused
from phonegate.pages.console.default_country import written_country
from phonegate.pages.console.form_fields import Filled, Form, Line, Number
from phonegate.pages.console.visit import Route, Visit

FORM: Final = Form(
    Line("default_country", "Country of numbers without one", empty=""),
    Number("max_characters", "Longest text"),
)


async def show(visit: Visit) -> Response:
    """Shows what is chosen now."""
    chosen = visit.services.org_options.of(visit.principal.org)
    return await _page(
        visit,
        FORM.of(
            {
                "default_country": chosen.default_country,
                "max_characters": chosen.max_characters,
            }
        ),
    )


async def change(visit: Visit) -> Response:
    """Chooses anew."""
    sent = await visit.form()
    try:
        body = FORM.body(sent)
        # Here, as in other forms, a country may be written by its code. The API takes letters.
        body["default_country"] = written_country(body["default_country"])
        await visit.call("change_me", body=body)
    except Refused as refused:
        return await _page(visit, FORM.again(sent, refused), status=400)
    return visit.go("/organisation", said="It holds from now on.")


async def _page(visit: Visit, filled: Filled, status: int = 200) -> Response:
    return await visit.page(
        "console/organisation.html",
        status=status,
        filled=filled,
        most_characters=MAX_CHARACTERS,
        most_segments=MAX_SEGMENTS,
    )


ROUTES: Final = (
    Route(path="/organisation", scope="manage", view=show),
    Route(path="/organisation", methods=("POST",), scope="manage", view=change),
)
