"""The screens of API keys: what each may do, how a new one is used, and its end."""

from collections.abc import Sequence
from typing import Any, Final

from quart import Response

from phonegate.model.principal import SCOPES
from phonegate.model.refusals import NotFound, Refused
from phonegate.pages.console.form_fields import (
    ABSENT,
    Choices,
    Filled,
    Form,
    FormField,
    Items,
    Line,
    Number,
    Tick,
)
from phonegate.pages.console.programs.gateway_address import gateway_address
from phonegate.pages.console.programs.key_words import (
    SCOPE_WORDS,
    count,
    key_snippets,
    limits_in_words,
)
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.examples import MCP_SETUP

HOURS: Final = 2
"""Times of the day that quiet hours consist of."""


class Hours(FormField):
    """A part of the day, from two fields of one name: `22:00-07:00` of 22:00 and 07:00."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns both times in one text."""
        times = [time.strip() for time in sent[:HOURS]]
        return "-".join(times) if any(times) else ABSENT

    def show(self, value: Any) -> tuple[str, ...]:
        """Returns the two times."""
        return tuple(str(value).split("-", 1))


class Codes(Tick):
    """A box that hides one-time codes, where the API has a word for that."""

    def read(self, sent: Sequence[str]) -> Any:
        """Returns the word."""
        return "hidden" if super().read(sent) is True else ABSENT


_LIMITS: Final = (
    Items("limits.to", "Only these recipients"),
    Number("limits.per_hour", "Messages an hour, at most"),
    Number("limits.per_day", "Messages a day, at most"),
    Hours("limits.quiet_hours.hours", "Nothing is sent from … to …"),
    Line("limits.quiet_hours.zone", "Time zone of these hours"),
    Tick("limits.hold", "A person approves each message before it is sent"),
    Items("limits.from", "Reads only messages with these numbers"),
    Codes("limits.codes", "One-time codes are hidden in what it reads"),
)

NEW: Final = Form(
    Line("name", "Name"), Choices("scopes", "What it may do", required=True), *_LIMITS
)
LIMITS: Final = Form(*_LIMITS, always=("limits",))

SCOPE_CHOICES: Final = tuple((scope, *SCOPE_WORDS[scope]) for scope in SCOPES)


async def show_all(visit: Visit) -> Response:
    """Lists the keys."""
    keys = (await visit.call("list_keys"))["keys"]
    waiting = await visit.services.accounts.keys.waiting(visit.principal.org)
    shown = [
        {
            **key,
            "limits": key.get("limits"),
            "words": limits_in_words(key.get("limits")),
            "waiting": waiting.get(key["id"], 0),
            "own": key["id"] == visit.principal.key_id,
        }
        for key in keys
    ]
    return await visit.page("console/keys.html", keys=shown, scope_words=SCOPE_WORDS, count=count)


async def show_new(visit: Visit) -> Response:
    """Shows the form of a new key."""
    name = visit.query.get("name", "")
    filled = NEW.empty(name=name, scopes=("send", "read"))
    return await _new_page(visit, filled)


async def make(visit: Visit) -> Response:
    """Makes a key, and shows it."""
    sent = await visit.form()
    try:
        made = await visit.call("create_key", body=NEW.body(sent))
    except Refused as refused:
        return await _new_page(visit, NEW.again(sent, refused), status=400)
    org, scopes = visit.principal.org_name, made["scopes"]
    snippets = key_snippets(gateway_address(visit), org, made["key"], scopes, MCP_SETUP)
    return await visit.page(
        "console/key_made.html",
        made=made,
        words=limits_in_words(made.get("limits")),
        snippets=snippets,
        scope_words=SCOPE_WORDS,
    )


async def show_one(visit: Visit) -> Response:
    """Shows a key, and the form of its limits."""
    key = await _key(visit)
    return await _key_page(visit, key, LIMITS.of(key))


async def change(visit: Visit) -> Response:
    """Gives a key other limits, or none."""
    key, sent = await _key(visit), await visit.form()
    try:
        changed = await visit.call(
            "change_key", path={"id": visit.path["id"]}, body=LIMITS.body(sent)
        )
    except Refused as refused:
        return await _key_page(visit, key, LIMITS.again(sent, refused), status=400)
    words = limits_in_words(changed["key"].get("limits"))
    said = " ".join(words) if words else "Nothing limits it now."
    return visit.go("/keys", said=f"{changed['key']['name']}: {said}")


async def ask(visit: Visit) -> Response:
    """Asks whether a key is to be revoked."""
    key = await _key(visit)
    waiting = (await visit.services.accounts.keys.waiting(visit.principal.org)).get(key["id"], 0)
    sentences = [
        "It stops working at once. Webhooks that it made are called no more, and its hooks end."
    ]
    choices = []
    if waiting:
        sentences.append(f"{count(waiting, 'message')} of it wait to be sent, and are cancelled.")
        keep = "Let them go out all the same"
        choices.append(("keep_queued", keep, "They then leave as if the key still worked."))
    is_own = key["id"] == visit.principal.key_id
    if is_own:
        sentences.append("You have signed in by it: you are signed out.")
    return await question(
        visit,
        f"Revoke the key {key['name']}?",
        sentences=sentences,
        choices=choices,
        action=visit.url("/keys", key["id"], "revoke"),
        word="Revoke",
        stay="Keep it",
        back=visit.url("/keys"),
        signs_out=is_own,
    )


async def revoke(visit: Visit) -> Response:
    """Ends a key."""
    key, sent = await _key(visit), await visit.form()
    keep = bool(sent.get("keep_queued"))
    ended = await visit.call("revoke_key", path={"id": key["id"]}, query={"keep_queued": keep})
    cancelled = ended["cancelled"]
    tail = f" {count(cancelled, 'message')} of it will not be sent." if cancelled else ""
    return visit.go("/keys", said=f"The key {key['name']} is revoked.{tail}")


async def _key(visit: Visit) -> dict[str, Any]:
    keys = (await visit.call("list_keys"))["keys"]
    found = next((key for key in keys if key["id"] == visit.path["id"]), None)
    if found is None:
        raise NotFound("There is no such key in this org. It may have been revoked.")
    return dict(found)


async def _new_page(visit: Visit, filled: Filled, *, status: int = 200) -> Response:
    return await visit.page(
        "console/key_new.html", status=status, filled=filled, scopes=SCOPE_CHOICES
    )


async def _key_page(
    visit: Visit, key: dict[str, Any], filled: Filled, *, status: int = 200
) -> Response:
    return await visit.page(
        "console/key.html", status=status, key=key, filled=filled, scope_words=SCOPE_WORDS
    )


ROUTES: Final = (
    Route(path="/keys", scope="manage", view=show_all),
    Route(path="/keys", methods=("POST",), scope="manage", view=make),
    Route(path="/keys/new", scope="manage", view=show_new),
    Route(path="/keys/<id>", scope="manage", view=show_one),
    Route(path="/keys/<id>", methods=("POST",), scope="manage", view=change),
    Route(path="/keys/<id>/revoke", scope="manage", view=ask),
    Route(path="/keys/<id>/revoke", methods=("POST",), scope="manage", view=revoke),
)
