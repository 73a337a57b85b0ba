"""The screens by which a person pairs a phone: its invitation, and how far the phone is."""

from typing import Any, Final

from markupsafe import Markup
from quart import Response

from phonegate.api.errors import answer_for
from phonegate.domain.pairing import MOST_TESTS
from phonegate.model.refusals import NotFound, Refused
from phonegate.pages.console.form_fields import field_problems
from phonegate.pages.console.visit import Route, Visit

QUIET_ZONE: Final = 4
"""Light modules around a code (ISO/IEC 18004, 6.3.8)."""

PATH: Final = "/phones/pair"


async def ask(visit: Visit) -> Response:
    """Asks what the new phone is called."""
    return await visit.page("console/pair.html", name="", problem="")


async def pair(visit: Visit) -> Response:
    """Makes the invitation, and leads to its page."""
    name = (await visit.form()).get("name", "").strip()
    try:
        made = await visit.call("pair_phone", body={"name": name} if name else {})
    except Refused as refused:
        return await visit.page(
            "console/pair.html", status=_status(refused), name=name, problem=_problem(refused)
        )
    return visit.go(PATH, made["key_id"])


async def show(visit: Visit) -> Response:
    """Shows an invitation, as often as its maker looks at it while it lasts."""
    try:
        return await _shown(visit)
    except NotFound:
        if visit.by_script:
            raise
        return await visit.page("console/pair.html", status=404, name="", problem="", ended=True)


async def test(visit: Visit) -> Response:
    """Sends a test SMS from the phone to its own number."""
    number = (await visit.form()).get("number", "").strip()
    try:
        await visit.call("test_pairing", path=visit.path, body={"number": number})
    except NotFound:
        return visit.go(PATH, visit.path["id"])
    except Refused as refused:
        return await _shown(
            visit, status=_status(refused), number=number, test_problem=_problem(refused)
        )
    return visit.go(PATH, visit.path["id"])


async def cancel(visit: Visit) -> Response:
    """Takes an invitation back: its key is revoked, and with it the link."""
    await visit.call("revoke_key", path=visit.path)
    return visit.go("/phones", said="The invitation is taken back: its key is good no longer.")


async def _shown(visit: Visit, *, status: int = 200, **more: Any) -> Response:
    address = visit.query.get("address", "").strip()
    problem = ""
    try:
        offer = await _offer(visit, address)
    except NotFound:
        raise
    except Refused as refused:
        problem = _problem(refused)
        offer = await _offer(visit, "")
    context: dict[str, Any] = {
        "offer": offer,
        "address": address,
        "address_problem": problem,
        "number": offer["state"]["number"] or "",
        "test_problem": "",
        "most_tests": MOST_TESTS,
        **more,
    }
    if visit.by_script:
        return await visit.part("console/parts/pairing_state.html", **context)
    code = None if offer["link"] is None else qr_code(offer["link"])
    return await visit.page("console/pairing.html", status=status, code=code, **context)


async def _offer(visit: Visit, address: str) -> Any:
    return await visit.call("get_pairing", path=visit.path, query={"url": address or None})


def qr_code(text: str) -> Markup:
    """Returns a QR code as an SVG drawing, dark on light whatever the page looks like."""
    # Imported here as few pages have one.
    import segno  # noqa: PLC0415

    code = segno.make(text, error="m", micro=False)
    drawn = code.svg_inline(
        border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None
    )
    return Markup(drawn)  # noqa: S704 - of numbers alone, whatever the text


def _problem(refused: Refused) -> str:
    problems = field_problems(refused)
    return f"It {problems[0].problem}." if problems else refused.detail


def _status(refused: Refused) -> int:
    return answer_for(refused).status


ROUTES: Final = (
    Route(path=PATH, scope="manage", view=ask),
    Route(path=PATH, methods=("POST",), scope="manage", view=pair),
    Route(path=f"{PATH}/<id>", scope="manage", view=show),
    Route(path=f"{PATH}/<id>/test", methods=("POST",), scope="manage", view=test),
    Route(path=f"{PATH}/<id>/cancel", methods=("POST",), scope="manage", view=cancel),
)
