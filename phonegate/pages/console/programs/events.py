"""The screen of events: what happens to the messages and phones of an org, as it happens."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from quart import Response

from phonegate.domain.event_filter import ANY, TYPE_PATTERNS
from phonegate.model.refusals import BadInput
from phonegate.pages.console.form_fields import Form, Line
from phonegate.pages.console.programs.event_words import event_line, mood
from phonegate.pages.console.programs.gateway_address import gateway_address
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole

SHOWN: Final = 50
"""Events of a page."""

MOST: Final = 300
"""Events that a page holds where they come by themselves."""

FILTER: Final = Form(Line("types", "Type"), Line("address", "Number or name"))


async def show(visit: Visit) -> Response:
    """Shows the newest events, or those before one. A script asks for rows alone."""
    since = whole(visit.query.get("since_id"))
    before = whole(visit.query.get("before_id"))
    wanted = FILTER.body(visit.query)
    filled = FILTER.again(visit.query)
    status = 200
    page: dict[str, Any] = {"events": [], "last_id": 0}
    query = {**wanted, "limit": SHOWN, "since_id": since, "before_id": before}
    try:
        page = await visit.call("get_events", query=query)
    except BadInput as refused:
        if visit.by_script:
            raise
        status, filled = 400, FILTER.again(visit.query, refused)
    events: Sequence[Mapping[str, Any]] = page["events"]
    context: dict[str, Any] = {
        "events": [_row(event) for event in reversed(events)],
        "last_id": page["last_id"],
        "whole": len(events) >= SHOWN,
        "older": events[0]["id"] if len(events) >= SHOWN and since is None else None,
        "wanted": wanted,
    }
    if visit.by_script:
        return await visit.part("console/parts/event_rows.html", **context)
    return await visit.page(
        "console/events.html",
        status=status,
        filled=filled,
        types=[("", "everything"), *((one, one) for one in TYPE_PATTERNS if one != ANY)],
        before=before,
        most=MOST,
        snippets=event_snippets(gateway_address(visit), visit.principal.org_name),
        **context,
    )


def event_snippets(base: str, org: str) -> list[tuple[str, str]]:
    """Returns how an app follows the events of an org: each text with its label."""
    key = "-H 'Authorization: Bearer pgk_…'"
    return [
        (
            "command that follows events",
            f"curl -N {base}/events/{org} {key} -H 'Accept: text/event-stream'",
        ),
        (
            "command that waits for the next one",
            f"curl '{base}/events/{org}?wait=25&types=message.received' {key}",
        ),
        (
            "script of a web page",
            f'const source = new EventSource("{base}/events/{org}/SECRET_KEY");\n'
            'source.addEventListener("message.received", (event) => {\n'
            "  const { message } = JSON.parse(event.data).data;\n"
            "  console.log(message.address, message.body);\n"
            "});",
        ),
    ]


def _row(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": event["id"],
        "type": event["type"],
        "created_at": event["created_at"],
        "line": event_line(event),
        "mood": mood(event["type"]),
        "json": json.dumps(event, indent=2, ensure_ascii=False),
    }


ROUTES: Final = (Route(path="/events", scope="read", view=show),)
