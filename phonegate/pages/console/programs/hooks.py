"""The screens of hooks: made from a ready-made mapping or one's own, and tried with a sample."""

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs
from quart import Response

from phonegate.api.hooks_types import NONE
from phonegate.api.payload import read_value
from phonegate.model.refusals import BadInput, FieldProblem, Refused
from phonegate.pages.console.form_fields import (
    Filled,
    Form,
    Line,
    Lines,
    Number,
    Paragraphs,
    Secret,
    Sent,
)
from phonegate.pages.console.programs.hook_words import (
    ANSWER_WORDS,
    VERIFICATION_WORDS,
    hook_standing,
    tried_words,
)
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole

SAMPLE: Final = "sample"
"""The field of what a program would post, which is no part of a hook."""

READY: Final = "ready"
"""The field of the ready-made mapping that a hook begins with."""

HOOK: Final = "hook"
"""The field of the hook that is changed, where its form is tried."""

FORM: Final = Form(
    Line("name", "Name"),
    Lines("mapping.to", "To"),
    Paragraphs("mapping.text", "Text"),
    Lines("mapping.when", "Only when"),
    Line("mapping.sender", "Sent by the number"),
    Number("mapping.max_characters", "Characters, at most"),
    Number("mapping.repeat_s", "Seconds in which the same again is a repeat"),
    Line("mapping.answer", "How errors are answered"),
    Line("verification.kind", "How its calls are verified"),
    Secret("verification.secret", "Secret"),
    Line("verification.header", "Header"),
    Line("verification.timestamp_header", "Header of the time"),
    Line("key", "Bound by the API key"),
    Paragraphs(SAMPLE, "Sample"),
    always=("mapping",),
)


@attrs.frozen(kw_only=True)
class Shown:
    """A form of a hook, as its page shows it."""

    filled: Filled
    hook: Mapping[str, Any] | None = None
    """The hook that is changed. None: a new one is made."""
    ready: Mapping[str, Any] | None = None
    """The ready-made mapping that it begins with."""
    tried: Mapping[str, Any] | None = None
    """What the mapping makes of the sample, where that was tried."""


async def show_all(visit: Visit) -> Response:
    """Lists the hooks."""
    hooks = (await visit.call("list_hooks"))["hooks"]
    served = any(one.name == "hooks" for one in visit.calls.dialects)
    return await visit.page(
        "console/hooks.html", hooks=hooks, standing=hook_standing, served=served
    )


async def show_new(visit: Visit) -> Response:
    """Shows the ready-made mappings, or the form that one of them fills in."""
    if READY not in visit.query:
        found = (await visit.call("list_ready_mappings"))["mappings"]
        return await visit.page("console/hook_new.html", mappings=found)
    ready = await _ready(visit, visit.query[READY])
    body = {
        "name": ready["title"],
        "mapping": ready["mapping"],
        "verification": _suggested(ready),
        SAMPLE: _written(ready["sample"]),
    }
    if ready["needs_recipient"]:
        body["mapping"] = {**ready["mapping"], "to": []}
    return await _form_page(visit, Shown(filled=FORM.of(body), ready=ready))


async def make(visit: Visit) -> Response:
    """Makes a hook, and shows its URL."""
    sent = await visit.form()
    ready = await _ready_of_form(visit, sent)
    try:
        made = await visit.call("create_hook", body=_body(sent))
    except Refused as refused:
        shown = Shown(filled=FORM.again(sent, refused), ready=ready)
        return await _form_page(visit, shown, status=400)
    return await _url_page(visit, made, ready=ready, new=True)


async def attempt(visit: Visit) -> Response:
    """Shows what the mapping of a form makes of its sample. Stores and sends nothing."""
    sent = await visit.form()
    number = whole(sent.get(HOOK))
    hook = None if number is None else await _hook(visit, number)
    ready = await _ready_of_form(visit, sent)
    try:
        asked = {"mapping": FORM.body(sent)["mapping"], "sample": _sample(sent)}
        tried = await visit.call("try_hook", body=asked)
    except Refused as refused:
        shown = Shown(filled=FORM.again(sent, refused), hook=hook, ready=ready)
        return await _form_page(visit, shown, status=400)
    shown = Shown(filled=FORM.again(sent), hook=hook, ready=ready, tried=tried)
    return await _form_page(visit, shown)


async def show_one(visit: Visit) -> Response:
    """Shows a hook, and what became of its last call."""
    hook = await _hook(visit, visit.path["id"])
    return await visit.page(
        "console/hook.html",
        hook=hook,
        state=hook_standing(hook),
        verified=VERIFICATION_WORDS[hook["verification"]["kind"]],
        answered=ANSWER_WORDS[hook["mapping"]["answer"]],
    )


async def show_form(visit: Visit) -> Response:
    """Shows the form of a hook that there is."""
    hook = await _hook(visit, visit.path["id"])
    body = {**hook, "verification": {**hook["verification"], "secret": None}}
    return await _form_page(visit, Shown(filled=FORM.of(body), hook=hook))


async def change(visit: Visit) -> Response:
    """Changes a hook."""
    hook, sent = await _hook(visit, visit.path["id"]), await visit.form()
    try:
        body = _body(sent)
        body.pop("key", None)
        verification = body.get("verification", {})
        if verification.get("kind") == hook["verification"]["kind"] and not verification.get(
            "secret"
        ):
            # Its secret is not in the form: it stays, with what belongs to it.
            body.pop("verification")
        await visit.call("change_hook", path={"id": hook["id"]}, body=body)
    except Refused as refused:
        shown = Shown(filled=FORM.again(sent, refused), hook=hook)
        return await _form_page(visit, shown, status=400)
    return visit.go("/hooks", hook["id"], said="The hook is changed.")


async def enable(visit: Visit) -> Response:
    """Has a hook take calls again."""
    hook = await _hook(visit, visit.path["id"])
    await visit.call("change_hook", path={"id": hook["id"]}, body={"enabled": True})
    return visit.go("/hooks", hook["id"], said="The hook is enabled, and takes calls again.")


async def disable(visit: Visit) -> Response:
    """Has a hook take no calls."""
    hook = await _hook(visit, visit.path["id"])
    await visit.call("change_hook", path={"id": hook["id"]}, body={"enabled": False})
    return visit.go("/hooks", hook["id"], said="The hook is disabled, and takes no calls.")


async def ask_rotate(visit: Visit) -> Response:
    """Asks whether a hook is to have another URL."""
    hook = await _hook(visit, visit.path["id"])
    return await question(
        visit,
        "Make a new URL?",
        sentences=["The URL of now stops working at once: enter the new one in the program."],
        action=visit.url("/hooks", hook["id"], "rotate"),
        word="Make a new URL",
        stay="Keep this one",
        back=visit.url("/hooks", hook["id"]),
    )


async def rotate(visit: Visit) -> Response:
    """Gives a hook another URL, and shows it."""
    hook = await _hook(visit, visit.path["id"])
    rotated = await visit.call("rotate_hook", path={"id": hook["id"]})
    return await _url_page(visit, rotated, new=False)


async def ask_remove(visit: Visit) -> Response:
    """Asks whether a hook is to be removed."""
    hook = await _hook(visit, visit.path["id"])
    return await question(
        visit,
        f"Remove the hook {hook['name']}?",
        sentences=["Its URL stops working at once, and nothing is sent for its program."],
        action=visit.url("/hooks", hook["id"], "remove"),
        word="Remove",
        stay="Keep it",
        back=visit.url("/hooks", hook["id"]),
    )


async def remove(visit: Visit) -> Response:
    """Removes a hook."""
    hook = await _hook(visit, visit.path["id"])
    await visit.call("remove_hook", path={"id": hook["id"]})
    return visit.go("/hooks", said=f"The hook {hook['name']} is removed.")


async def _hook(visit: Visit, id_: object) -> dict[str, Any]:
    found = await visit.call("get_hook", path={"id": id_})
    return dict(found["hook"])


async def _ready(visit: Visit, name: str) -> Mapping[str, Any]:
    """Returns a ready-made mapping.

    Raises:
        BadInput: There is none of this name.
    """
    found = await visit.call("list_ready_mappings", query={"name": name})
    ready: Mapping[str, Any] = found["mappings"][0]
    return ready


async def _ready_of_form(visit: Visit, sent: Sent) -> Mapping[str, Any] | None:
    name = "".join(sent.getlist(READY)[-1:])
    try:
        return await _ready(visit, name) if name else None
    except BadInput:
        return None


def _suggested(ready: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the verification that a form begins with, without its secret."""
    kind = ready["verification"]["kind"] if ready["always_signs"] else NONE
    return {**ready["verification"], "kind": kind, "secret": None}


def _fitting(ready: Mapping[str, Any] | None) -> str:
    """Returns what the verification of a program is called, where there is one."""
    kind = NONE if ready is None else ready["verification"]["kind"]
    return "" if kind == NONE else VERIFICATION_WORDS[kind]


def _body(sent: Sent) -> dict[str, Any]:
    """Returns the hook that a form stands for."""
    body = FORM.body(sent)
    body.pop(SAMPLE, None)
    return body


def _sample(sent: Sent) -> Any:
    """Returns the sample of a form.

    Raises:
        BadInput: It is no JSON.
    """
    try:
        return read_value("".join(sent.getlist(SAMPLE)[-1:]).encode("utf-8", "replace"))
    except BadInput as error:
        problem = f"is what the program would post, as JSON. {error.detail}"
        raise BadInput(error.detail, [FieldProblem(SAMPLE, problem)]) from None


def _written(sample: object) -> str:
    return json.dumps(sample, indent=2, ensure_ascii=False)


async def _form_page(visit: Visit, shown: Shown, *, status: int = 200) -> Response:
    keys = (await visit.call("list_keys"))["keys"] if shown.hook is None else []
    bound = [(one["id"], one["name"]) for one in keys if "send" in one["scopes"]]
    return await visit.page(
        "console/hook_form.html",
        status=status,
        filled=shown.filled,
        hook=shown.hook,
        ready=shown.ready,
        tried=shown.tried,
        outcome=None if shown.tried is None else tried_words(shown.tried),
        kinds=list(VERIFICATION_WORDS.items()),
        fitting=_fitting(shown.ready),
        answers=list(ANSWER_WORDS.items()),
        keys=[("", "none: the limits of this org alone"), *bound],
    )


async def _url_page(
    visit: Visit, made: Mapping[str, Any], *, new: bool, ready: Mapping[str, Any] | None = None
) -> Response:
    return await visit.page(
        "console/hook_url.html",
        hook=made["hook"],
        hook_url=made["url"],
        ready=ready,
        new=new,
    )


ROUTES: Final = (
    Route(path="/hooks", scope="manage", view=show_all),
    Route(path="/hooks", methods=("POST",), scope="manage", view=make),
    Route(path="/hooks/new", scope="manage", view=show_new),
    Route(path="/hooks/try", methods=("POST",), scope="manage", view=attempt),
    Route(path="/hooks/<id>", scope="manage", view=show_one),
    Route(path="/hooks/<id>", methods=("POST",), scope="manage", view=change),
    Route(path="/hooks/<id>/change", scope="manage", view=show_form),
    Route(path="/hooks/<id>/enable", methods=("POST",), scope="manage", view=enable),
    Route(path="/hooks/<id>/disable", methods=("POST",), scope="manage", view=disable),
    Route(path="/hooks/<id>/rotate", scope="manage", view=ask_rotate),
    Route(path="/hooks/<id>/rotate", methods=("POST",), scope="manage", view=rotate),
    Route(path="/hooks/<id>/remove", scope="manage", view=ask_remove),
    Route(path="/hooks/<id>/remove", methods=("POST",), scope="manage", view=remove),
)
