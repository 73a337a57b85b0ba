"""The screens of assistants: numbers to send from, and the accounts behind them."""

from collections.abc import Mapping
from functools import cache
from secrets import token_urlsafe
from typing import Any, Final

from quart import Response

from phonegate.api.inner_calls import CallRefused
from phonegate.carriers.provider import CredentialField
from phonegate.carriers.registry import CARRIERS, PROVIDERS, unsigned
from phonegate.model.assistants import PHONE
from phonegate.model.refusals import BadInput, Conflict, NotFound, Refused
from phonegate.pages.console.form_fields import (
    Filled,
    Form,
    Items,
    Line,
    Paragraphs,
    Secret,
)
from phonegate.pages.console.question import question
from phonegate.pages.console.visit import Route, Visit

CREDENTIALS: Final = "credentials."
"""What the name of a credential's field begins with."""

REMOVED: Final = "remove_credential"
"""The boxes of optional credentials that are to be taken away."""

ONCE: Final = "once"
"""The field that makes a form which is sent twice send one SMS."""

_INITIALS: Final = frozenset({"api", "id", "sid"})
"""Words of a credential's name that are spelt out."""

TEST: Final = Form(
    Line("from_phone_number", "From"),
    Line("to_phone_number", "To"),
    Paragraphs("message", "Text"),
)


@cache
def assistant_form(provider: str) -> Form:
    """Returns the form of an assistant of a provider, with the credentials that it asks for."""
    return Form(
        Line("name", "Name"),
        Items("phone_numbers", "Numbers that it sends from"),
        *(
            (Secret if field.secret else Line)(CREDENTIALS + field.name, spoken(field.name))
            for field in _fields(provider)
        ),
    )


def spoken(name: str) -> str:
    """Returns the name of a credential as people read it: "Account SID" of `account_sid`."""
    words = [word.upper() if word in _INITIALS else word for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def title(provider: str) -> str:
    """Returns what a provider calls itself."""
    return CARRIERS[provider].title if provider in CARRIERS else "Own phone"


async def show_all(visit: Visit) -> Response:
    """Lists the assistants."""
    found = (await visit.call("list_assistants"))["assistants"]
    return await visit.page(
        "console/assistants.html",
        assistants=found,
        providers=[(one, title(one)) for one in PROVIDERS],
        title=title,
    )


async def show_new(visit: Visit) -> Response:
    """Shows the form of a new assistant of the provider that is asked for."""
    provider = visit.query.get("provider", PROVIDERS[0])
    return await _new_page(visit, _known(provider), assistant_form(_known(provider)).empty())


async def make(visit: Visit) -> Response:
    """Makes an assistant."""
    sent = await visit.form()
    provider = _known(sent.get("provider", ""))
    form = assistant_form(provider)
    try:
        body = {**form.body(sent), "provider": provider}
        made = await visit.call("create_assistant", body=body)
    except Refused as refused:
        return await _new_page(visit, provider, form.again(sent, refused), status=400)
    return visit.go("/assistants", made["assistant"]["id"], said="The assistant is made.")


async def show_one(visit: Visit) -> Response:
    """Shows an assistant."""
    one = await _assistant(visit)
    filled = TEST.empty(
        from_phone_number=one["phone_numbers"][0], message="This is a test by phonegate."
    )
    return await _assistant_page(visit, one, filled)


async def show_form(visit: Visit) -> Response:
    """Shows the form of an assistant that there is."""
    one = await _changeable(visit)
    shown = {"name": one["name"], "phone_numbers": one["phone_numbers"]}
    return await _form_page(visit, one, assistant_form(one["provider"]).of(shown))


async def change(visit: Visit) -> Response:
    """Changes an assistant. Credentials whose fields are empty stay as they are."""
    one, sent = await _changeable(visit), await visit.form()
    form = assistant_form(one["provider"])
    try:
        body = form.body(sent)
        for name in sent.getlist(REMOVED):
            body.setdefault("credentials", {}).setdefault(name, None)
        await visit.call("change_assistant", path={"id": one["id"]}, body=body)
    except Refused as refused:
        return await _form_page(visit, one, form.again(sent, refused), status=400)
    return visit.go("/assistants", one["id"], said="The assistant is changed.")


async def ask_remove(visit: Visit) -> Response:
    """Asks whether an assistant is to be removed."""
    one = await _changeable(visit)
    return await question(
        visit,
        f"Remove the assistant {one['name']}?",
        sentences=["Nothing is sent from its numbers any more. Its messages stay."],
        action=visit.url("/assistants", one["id"], "remove"),
        word="Remove",
        stay="Keep it",
        back=visit.url("/assistants", one["id"]),
    )


async def remove(visit: Visit) -> Response:
    """Removes an assistant."""
    one = await _changeable(visit)
    await visit.call("remove_assistant", path={"id": one["id"]})
    return visit.go("/assistants", said=f"The assistant {one['name']} is removed.")


async def test(visit: Visit) -> Response:
    """Sends an SMS from a number of an assistant."""
    one, sent = await _assistant(visit), await visit.form()
    key = sent.get(ONCE) or None
    try:
        body = TEST.body(sent)
        if body.get("from_phone_number") not in one["phone_numbers"]:
            raise Conflict("This assistant has no such number.")
        answer = await visit.call("send_sms_from_number", body=body, idempotency_key=key)
    except CallRefused as refused:
        reason = str(refused.content.get("reason") or refused.detail)
        filled = TEST.again(sent, BadInput(f"{title(one['provider'])}: {reason}"))
        return await _assistant_page(visit, one, filled, status=refused.status)
    except Refused as refused:
        return await _assistant_page(visit, one, TEST.again(sent, refused), status=400)
    return visit.go("/assistants", one["id"], said=f"{answer['message']}.")


async def _assistant(visit: Visit) -> dict[str, Any]:
    found = await visit.call("get_assistant", path={"id": visit.path["id"]})
    return dict(found["assistant"])


async def _changeable(visit: Visit) -> dict[str, Any]:
    one = await _assistant(visit)
    if one["from_file"]:
        raise Conflict("gateway.toml declares this assistant: it is changed there.")
    return one


def _known(provider: str) -> str:
    if provider not in PROVIDERS:
        raise NotFound("There is no such provider.")
    return provider


def _fields(provider: str) -> tuple[CredentialField, ...]:
    return CARRIERS[provider].fields if provider in CARRIERS else ()


def _credentials(provider: str, has: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns what the page shows of each field of the credentials."""
    return [
        {
            "name": field.name,
            "place": CREDENTIALS + field.name,
            "label": spoken(field.name),
            "secret": field.secret,
            "required": field.required,
            "says": f"{field.says[:1].upper()}{field.says[1:]}.",
            "masked": has.get(field.name),
        }
        for field in _fields(provider)
    ]


async def _new_page(visit: Visit, provider: str, filled: Filled, *, status: int = 200) -> Response:
    return await visit.page(
        "console/assistant_form.html",
        status=status,
        filled=filled,
        one=None,
        provider=provider,
        credentials=_credentials(provider, {}),
        providers=[(one, title(one)) for one in PROVIDERS],
        removed=REMOVED,
    )


async def _form_page(
    visit: Visit, one: Mapping[str, Any], filled: Filled, *, status: int = 200
) -> Response:
    return await visit.page(
        "console/assistant_form.html",
        status=status,
        filled=filled,
        one=one,
        provider=one["provider"],
        credentials=_credentials(one["provider"], one["credentials"]),
        providers=[(one["provider"], title(one["provider"]))],
        removed=REMOVED,
    )


async def _assistant_page(
    visit: Visit, one: Mapping[str, Any], filled: Filled, *, status: int = 200
) -> Response:
    provider = one["provider"]
    callbacks = CARRIERS[provider].callbacks if provider in CARRIERS else None
    return await visit.page(
        "console/assistant.html",
        status=status,
        one=one,
        title=title(provider),
        credentials=_credentials(provider, one["credentials"]),
        is_phone=provider == PHONE,
        setup=None if callbacks is None else callbacks.setup,
        unsigned=unsigned(provider, one["credentials"]),
        filled=filled,
        numbers=[(number, number) for number in one["phone_numbers"]],
        once=(ONCE, token_urlsafe(16)),
    )


ROUTES: Final = (
    Route(path="/assistants", scope="manage", view=show_all),
    Route(path="/assistants", methods=("POST",), scope="manage", view=make),
    Route(path="/assistants/new", scope="manage", view=show_new),
    Route(path="/assistants/<id>", scope="manage", view=show_one),
    Route(path="/assistants/<id>", methods=("POST",), scope="manage", view=change),
    Route(path="/assistants/<id>/change", scope="manage", view=show_form),
    Route(path="/assistants/<id>/remove", scope="manage", view=ask_remove),
    Route(path="/assistants/<id>/remove", methods=("POST",), scope="manage", view=remove),
    Route(path="/assistants/<id>/test", methods=("POST",), scope="send", view=test),
)
