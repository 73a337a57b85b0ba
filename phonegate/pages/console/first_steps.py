"""The first steps of an org: a phone, a first message, and what comes back."""

import secrets
from typing import Any, Final

from quart import Response
from quart import request as quart_request

from phonegate.api.address import own_address
from phonegate.builtin_phone.simulated import NUMBER
from phonegate.http.problem import Problem
from phonegate.model.refusals import Refused
from phonegate.model.states import DELIVERED, FINAL_STATES, SENT
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole
from phonegate.pages.console.words import STATE_WORDS, waits_words

FRIEND: Final = "+15553334444"
"""Whom the first message through a simulated phone is for. No network has the number."""

GREETING: Final = "Hello from phonegate!"


async def show(visit: Visit) -> Response:
    """Shows the steps, and how far they are."""
    return await visit.page("console/first_steps.html", **await _steps(visit))


async def progress(visit: Visit) -> Response:
    """Gives a script what the page shows of the steps."""
    return await visit.part("console/parts/first_steps.html", **await _steps(visit))


async def simulate(visit: Visit) -> Response:
    """Starts the simulated phone of the org."""
    principal = visit.principal
    try:
        await visit.services.simulation.start(principal.org, principal.org_name)
    except Refused as refused:
        return await _refused(visit, refused)
    return visit.go("/first-steps")


async def end_simulation(visit: Visit) -> Response:
    """Ends the simulated phone of the org."""
    await visit.services.simulation.stop(visit.principal.org)
    return visit.go("/first-steps", said="The simulated phone has ended. What it sent stays.")


async def send(visit: Visit) -> Response:
    """Sends the first message, once however often its form is sent."""
    form = await visit.form()
    body = {"to": form.get("to", "").strip(), "body": form.get("body", "")}
    if sim := form.get("sim"):
        body["sim"] = sim
    try:
        answer = await visit.call(
            "send_sms",
            body=body,
            idempotency_key=form.get("once") or secrets.token_urlsafe(),
        )
    except Refused as refused:
        return await _refused(visit, refused, filled=body)
    return visit.go("/first-steps", message=answer["results"][0]["id"])


async def _refused(visit: Visit, refused: Refused, **filled: Any) -> Response:
    """Shows the steps again, and why the last one was refused."""
    return await visit.page(
        "console/first_steps.html",
        status=Problem.of(refused).status,
        **{**await _steps(visit), **filled, "problem": refused.detail},
    )


async def _steps(visit: Visit) -> dict[str, Any]:
    """Returns how far the steps are."""
    principal, services = visit.principal, visit.services
    simulated = services.simulation.runs(principal.org)
    message, reply = await _first_message(visit)
    return {
        "phones": [one.name or "A phone" for one in services.switchboard.online(principal.org)],
        "simulated": simulated,
        "sim": NUMBER if simulated else "",
        "message": message,
        "state": None if message is None else STATE_WORDS[message["status"]],
        "waits": None if message is None else waits_words(message),
        "reply": reply,
        "left": message is not None and message["status"] in {SENT, DELIVERED},
        "over": message is not None and message["status"] in FINAL_STATES,
        "filled": {"to": FRIEND if simulated else "", "body": GREETING},
        "once": secrets.token_urlsafe(12),
        "base": own_address(
            services.public_url,
            "https" if visit.request.secure else "http",
            quart_request.headers.get("Host", ""),
            visit.prefix,
        ),
        "friend": FRIEND,
        "problem": "",
    }


async def _first_message(visit: Visit) -> tuple[Any, Any]:
    """Returns the message that the page was asked for, and the first answer to it."""
    asked = visit.query.get("message", "")
    if whole(asked) is None:
        return None, None
    try:
        message = (await visit.call("get_message", path={"id": asked}))["message"]
    except Refused:
        return None, None
    query = {"since_id": asked, "address": message["address"], "direction": "in", "limit": 1}
    found = await visit.call("get_messages", query=query)
    return message, next(iter(found["messages"]), None)


ROUTES: Final = (
    Route(path="/first-steps", scope="manage", view=show),
    Route(path="/first-steps/progress", scope="manage", view=progress),
    Route(path="/first-steps/simulated", methods=("POST",), scope="manage", view=simulate),
    Route(
        path="/first-steps/simulated/end", methods=("POST",), scope="manage", view=end_simulation
    ),
    Route(path="/first-steps/send", methods=("POST",), scope="send", view=send),
)
