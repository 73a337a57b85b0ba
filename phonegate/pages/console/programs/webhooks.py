"""The screens of webhooks: how each is, what was delivered to it, and its secret."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from quart import Response

from phonegate.domain.webhook_form import ONE_SIGNATURE
from phonegate.model.refusals import Refused
from phonegate.pages.console.form_fields import Choices, Filled, Form, Line, Number, Pairs
from phonegate.pages.console.programs.webhook_examples import shape_examples
from phonegate.pages.console.programs.webhook_words import (
    SHAPE_WORDS,
    SIGNATURE_CHECK,
    event_kinds,
    is_failure,
    outcome_of_test,
    progress,
    standing,
)
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole

SHOWN: Final = 30
"""Deliveries that a page of the log has."""

LOOKED: Final = 200
"""Deliveries that are asked for at once where only failed ones are wanted."""

MOST_LOOKED: Final = 1_000
"""Deliveries that are looked through for a page of failed ones."""

NEW: Final = Form(
    Line("name", "Name"),
    Line("url", "URL"),
    Choices("events", "What it gets", required=True),
    Line("address", "Only of messages with this number or name"),
    Line("sim", "Only of messages by this SIM"),
    Number("phone", "Only of this phone"),
    Pairs("headers", "Headers that are sent along"),
    Line("shape", "Shape"),
)
CHANGED: Final = Form(
    Line("name", "Name", empty=""),
    Line("url", "URL"),
    Choices("events", "What it gets", required=True),
    Line("address", "Only of messages with this number or name", empty=""),
    Line("sim", "Only of messages by this SIM", empty=""),
    Number("phone", "Only of this phone", empty=0),
    Pairs("headers", "Headers to add or change"),
    Line("shape", "Shape"),
)
REMOVED_HEADER: Final = "remove_header"
"""The boxes of headers that are to be taken away."""


@attrs.frozen(kw_only=True)
class Log:
    """A page of the log of a webhook."""

    deliveries: Sequence[Mapping[str, Any]]
    before: int | None
    """Where older ones begin. None: there are none."""


async def show_all(visit: Visit) -> Response:
    """Lists the webhooks."""
    hooks = (await visit.call("list_webhooks"))["webhooks"]
    return await visit.page("console/webhooks.html", hooks=hooks, standing=standing)


async def show_new(visit: Visit) -> Response:
    """Shows the form of a new webhook."""
    events = ("message.received",)
    return await _form_page(visit, NEW.empty(shape="standard", events=events))


async def make(visit: Visit) -> Response:
    """Makes a webhook, and shows its secret."""
    sent = await visit.form()
    try:
        made = await visit.call("create_webhook", body=NEW.body(sent))
    except Refused as refused:
        return await _form_page(visit, NEW.again(sent, refused), status=400)
    return await _secret_page(visit, made, new=True)


async def show_one(visit: Visit) -> Response:
    """Shows a webhook and its log. A script asks for the log alone."""
    hook = await _hook(visit)
    failed = "failed" in visit.query
    before = whole(visit.query.get("before"))
    log = await _log(visit, hook["id"], before=before, failed=failed)
    opened = whole(visit.query.get("opened"))
    tested = (one for one in log.deliveries if one["n"] == opened and "tested" in visit.query)
    context: dict[str, Any] = {
        "hook": hook,
        "state": standing(hook),
        "log": log,
        "failed": failed,
        "before": before,
        "opened": opened,
        "outcome": next((outcome_of_test(one) for one in tested), None),
        "progress": progress,
    }
    if visit.by_script:
        return await visit.part("console/parts/webhook_log.html", **context)
    return await visit.page("console/webhook.html", **context)


async def show_form(visit: Visit) -> Response:
    """Shows the form of a webhook that there is."""
    hook = await _hook(visit)
    shown = {name: value for name, value in hook.items() if name != "headers"}
    return await _form_page(visit, CHANGED.of(shown), hook=hook)


async def change(visit: Visit) -> Response:
    """Changes a webhook."""
    hook, sent = await _hook(visit), await visit.form()
    try:
        body = CHANGED.body(sent)
        for name in sent.getlist(REMOVED_HEADER):
            body.setdefault("headers", {}).setdefault(name, None)
        await visit.call("change_webhook", path={"id": hook["id"]}, body=body)
    except Refused as refused:
        return await _form_page(visit, CHANGED.again(sent, refused), hook=hook, status=400)
    return visit.go("/webhooks", hook["id"], said="The webhook is changed.")


async def test(visit: Visit) -> Response:
    """Calls a webhook with a sample."""
    hook = await _hook(visit)
    tested = await visit.call("test_webhook", path={"id": hook["id"]})
    return visit.go("/webhooks", hook["id"], opened=tested["delivery"]["n"], tested=1)


async def enable(visit: Visit) -> Response:
    """Has a webhook called again."""
    hook = await _hook(visit)
    await visit.call("enable_webhook", path={"id": hook["id"]})
    return visit.go("/webhooks", hook["id"], said="The webhook is enabled, and called again.")


async def ask_rotate(visit: Visit) -> Response:
    """Asks whether a webhook is to have another secret."""
    hook = await _hook(visit)
    at_once = hook["shape"] in ONE_SIGNATURE
    return await question(
        visit,
        "Make a new secret?",
        sentences=[
            "From then on only the new secret signs: give it to the receiver at once."
            if at_once
            else "The secret of now signs too for 24 hours, so that you can give the new one to "
            "the receiver meanwhile."
        ],
        action=visit.url("/webhooks", hook["id"], "rotate"),
        word="Make a new secret",
        stay="Keep this one",
        back=visit.url("/webhooks", hook["id"]),
    )


async def rotate(visit: Visit) -> Response:
    """Gives a webhook another secret, and shows it."""
    hook = await _hook(visit)
    rotated = await visit.call("rotate_webhook_secret", path={"id": hook["id"]})
    return await _secret_page(visit, rotated, new=False)


async def ask_remove(visit: Visit) -> Response:
    """Asks whether a webhook is to be removed."""
    hook = await _hook(visit)
    sentences = ["Its URL is called no more, and its log goes with it."]
    if hook["waiting"]:
        sentences.append(f"{hook['waiting']:,} events that wait for it are never delivered.")
    return await question(
        visit,
        f"Remove the webhook {_called(hook)}?",
        sentences=sentences,
        action=visit.url("/webhooks", hook["id"], "remove"),
        word="Remove",
        stay="Keep it",
        back=visit.url("/webhooks", hook["id"]),
    )


async def remove(visit: Visit) -> Response:
    """Removes a webhook."""
    hook = await _hook(visit)
    await visit.call("remove_webhook", path={"id": hook["id"]})
    return visit.go("/webhooks", said=f"The webhook {_called(hook)} is removed.")


async def replay(visit: Visit) -> Response:
    """Delivers an event again."""
    hook, n = await _hook(visit), visit.path["n"]
    await visit.call("replay_delivery", path={"id": hook["id"], "n": n})
    return visit.go("/webhooks", hook["id"], said="The event is delivered again.", opened=n)


async def _hook(visit: Visit) -> dict[str, Any]:
    found = await visit.call("get_webhook", path={"id": visit.path["id"]})
    return dict(found["webhook"])


def _called(hook: Mapping[str, Any]) -> str:
    return str(hook["name"] or hook["url"])


async def _log(visit: Visit, id_: int, *, before: int | None, failed: bool) -> Log:
    """Reads a page of the log, in steps where only failed deliveries are wanted."""
    found: list[Mapping[str, Any]] = []
    limit, looked = (LOOKED if failed else SHOWN + 1), 0
    while True:
        query = {"limit": limit, "before": before}
        page = (await visit.call("list_deliveries", path={"id": id_}, query=query))["deliveries"]
        looked += len(page)
        found += [one for one in page if not failed or is_failure(one)]
        if len(found) > SHOWN:
            return Log(deliveries=found[:SHOWN], before=found[SHOWN - 1]["n"])
        if len(page) < limit:
            return Log(deliveries=found, before=None)
        before = page[-1]["n"]
        if looked >= MOST_LOOKED:
            return Log(deliveries=found, before=before)


async def _form_page(
    visit: Visit, filled: Filled, *, hook: Mapping[str, Any] | None = None, status: int = 200
) -> Response:
    phones = (await visit.call("list_phones"))["phones"] if visit.may("read") else []
    named = {str(one["id"]): _phone(one) for one in phones}
    # One that is not listed stays chosen, so that to save the form lifts no filter.
    if (chosen := filled.value("phone")) and chosen not in named:
        named[chosen] = f"phone {chosen}"
    return await visit.page(
        "console/webhook_form.html",
        status=status,
        filled=filled,
        hook=hook,
        kinds=event_kinds(),
        shapes=SHAPE_WORDS,
        examples=shape_examples(),
        phones=[("", "every phone"), *named.items()],
        remove_header=REMOVED_HEADER,
    )


def _phone(phone: Mapping[str, Any]) -> str:
    return str(phone["name"] or phone["model"] or f"phone {phone['id']}")


async def _secret_page(visit: Visit, made: Mapping[str, Any], *, new: bool) -> Response:
    return await visit.page(
        "console/webhook_secret.html",
        hook=made["webhook"],
        secret=made["secret"],
        new=new,
        check=None if made["webhook"]["shape"] in ONE_SIGNATURE else SIGNATURE_CHECK,
    )


ROUTES: Final = (
    Route(path="/webhooks", scope="manage", view=show_all),
    Route(path="/webhooks", methods=("POST",), scope="manage", view=make),
    Route(path="/webhooks/new", scope="manage", view=show_new),
    Route(path="/webhooks/<id>", scope="manage", view=show_one),
    Route(path="/webhooks/<id>", methods=("POST",), scope="manage", view=change),
    Route(path="/webhooks/<id>/change", scope="manage", view=show_form),
    Route(path="/webhooks/<id>/test", methods=("POST",), scope="manage", view=test),
    Route(path="/webhooks/<id>/enable", methods=("POST",), scope="manage", view=enable),
    Route(path="/webhooks/<id>/rotate", scope="manage", view=ask_rotate),
    Route(path="/webhooks/<id>/rotate", methods=("POST",), scope="manage", view=rotate),
    Route(path="/webhooks/<id>/remove", scope="manage", view=ask_remove),
    Route(path="/webhooks/<id>/remove", methods=("POST",), scope="manage", view=remove),
    Route(
        path="/webhooks/<id>/deliveries/<n>/replay", methods=("POST",), scope="manage", view=replay
    ),
)
