"""SMSEagle's addresses: APIv1 below `/http_api`, `/jsonrpc/sms`, and `/api/v2/messages/sms`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect, Given
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.smseagle.parameters import (
    SmseagleMessage,
    SmseagleSms,
    is_yes,
    names_of,
    read,
    read_rpc,
    v2_problems,
)
from phonegate.api.dialects.smseagle.wording import (
    NO_CONTACT,
    NO_GROUP,
    RPC,
    V2,
    accepted,
    form_of,
    media_of,
    queued,
    refuse,
)
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, Render, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint, Example, Handler
from phonegate.domain.text_limits import text_fault
from phonegate.http.login import Login
from phonegate.http.problem import JSON_MEDIA, PLAIN_MEDIA
from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.model.states import QUEUED

METHODS: Final = ("sms.send_sms", "sms.send_tocontact", "sms.send_togroup")
"""The methods of JSON-RPC that send."""


async def send_sms(call: Call) -> Answer:
    """Sends to numbers."""
    asked: SmseagleSms = call.body
    return await _send(call, await recipients(call, asked.to), None)


async def send_to_contact(call: Call) -> Answer:
    """Sends to contacts of the org, by their names."""
    return await _send(call, await _numbers_of(call, names_of(call.body.contactname)), None)


async def send_to_group(call: Call) -> Answer:
    """Refuses: an org has no groups."""
    names = names_of(call.body.groupname)
    if not names:
        raise refusal((FieldProblem("groupname", "is required"),))
    raise BadInput(f"{NO_GROUP} - {names[0]}")


async def jsonrpc(call: Call) -> Answer:
    """Does what the method of a call of JSON-RPC says."""
    asked: SmseagleSms = call.body
    if asked.method not in METHODS:
        raise refusal((FieldProblem("method", f"must be one of: {', '.join(METHODS)}"),))
    if asked.message_type.strip().lower() not in {"", "sms"}:
        raise refusal((FieldProblem("message_type", "must be sms: there is no MMS here"),))
    if asked.method == "sms.send_togroup":
        return await send_to_group(call)
    if asked.method == "sms.send_tocontact":
        numbers = await _numbers_of(call, names_of(asked.contactname))
    else:
        numbers = await recipients(call, asked.to)
    return await _send(call, numbers, RPC)


async def _send(call: Call, numbers: Sequence[str], endpoint: str | None) -> Answer:
    asked: SmseagleSms = call.body
    given = {} if asked.responsetype is None else {"responsetype": [asked.responsetype]}
    form = form_of(given, endpoint)
    return await _sent(call, numbers, lambda done: Answer(content=accepted(done, form)))


async def send_message(call: Call) -> Answer:
    """Sends to numbers, by APIv2."""
    asked: SmseagleMessage = call.body
    if problems := v2_problems(asked):
        raise refusal(problems)
    numbers = await recipients(call, asked.to)
    return await _sent(call, numbers, lambda done: Answer(content=queued(done)))


async def _sent(call: Call, numbers: Sequence[str], render: Render) -> Answer:
    asked: SmseagleSms | SmseagleMessage = call.body
    name, text, priority = asked.content
    if is_yes(asked.test):
        if fault := text_fault(text):
            raise refusal((FieldProblem(name, fault),))
        answer = render([Accepted(id=0, to=to, status=QUEUED, segments=0) for to in numbers])
    else:
        send_at = asked.send_at(call.services.now_ms())
        wanted = [
            Wanted(
                to=to,
                body=text,
                slot=None if asked.modem_no is None else asked.modem_no - 1,
                send_at=send_at,
                ttl_s=asked.ttl_s,
                priority=priority,
            )
            for to in numbers
        ]
        answer = await send(DIALECT, call, wanted, render, fields=("to", name))
    return attrs.evolve(answer, media=media_of(answer.content))


async def _numbers_of(call: Call, names: Sequence[str]) -> tuple[str, ...]:
    """Returns the numbers of contacts.

    Raises:
        BadInput: There is no name, or one that no contact has, or several.
    """
    if not names:
        raise refusal((FieldProblem("contactname", "is required"),))
    if len(names) > MAX_MESSAGES:
        problem = f"has more than {MAX_MESSAGES} names, which is the most"
        raise refusal((FieldProblem("contactname", problem),))
    found = await call.services.contacts.of_names(call.caller, names)
    numbers = []
    for name in names:
        contacts = found.get(name, [])
        if len(contacts) != 1:
            raise BadInput(f"{NO_CONTACT} - {name}")
        numbers.append(contacts[0].number)
    return tuple(dict.fromkeys(numbers))


# --- The table's part -------------------------------------------------------------------------

DIALECT: Final = Dialect(
    name="smseagle",
    title="SMSEagle",
    text="For programs that send by a box of SMSEagle: Uptime Kuma (APIv1 and APIv2), Apprise "
    "(JSON-RPC), LibreNMS and Zabbix (APIv1). The access token is an API key; `login` and `pass` "
    "are an OrgId and its secret, or any name and an API key.",
    addresses=("",),
    login=Login(
        headers=("access-token",), org_names=("login",), secret_names=("access_token", "pass")
    ),
    refuse=refuse,
    bases=(
        "/http_api",
        "/jsonrpc",
        "/api/v2",
        "/index.php/http_api",
        "/index.php/jsonrpc",
        "/index.php/api",
    ),
)


def _endpoint(
    name: str, method: str, path: str, summary: str, handler: Handler, **more: Any
) -> Endpoint:
    usual: dict[str, Any] = {
        "scope": "send",
        "group": f"dialect: {DIALECT.name}",
        "answer": None,
        "media": PLAIN_MEDIA,
        "error_codes": SENDING_CODES,
        "idempotent": True,
        "dialect": DIALECT,
        "given": Given(type=SmseagleSms, read=read),
        "sends": True,
        "fast_path": True,
        "listed": False,
        "description": "Times are in the zone of the gateway's machine. unicode, flash, oid and "
        "what is unknown are ignored: a text is sent in the alphabet that fits it. Contacts are "
        "those of the console, by name; groups and MMS are refused.",
    }
    return Endpoint(
        name=name,
        method=method,
        # Older boxes have all addresses below their one program.
        paths=(path, f"/index.php{path}"),
        summary=summary,
        handler=handler,
        **{**usual, **more},
    )


_FORM: Final = (("Content-Type", "application/x-www-form-urlencoded"),)

_EXAMPLES: Final[Mapping[str, Example]] = {
    "send_sms": Example(
        title="Send an SMS by APIv1",
        path="/http_api/send_sms",
        headers=_FORM,
        body="login=myorg&pass=my-secret-key-123&to=15553334444&message=mymessage",
        answer="OK; ID=7",
    )
}

ENDPOINTS: Final = (
    *(
        _endpoint(
            f"smseagle_{act}_{method.lower()}",
            method,
            f"/http_api/{act}",
            f"Send an SMS to {whom}",
            handler,
            examples=(_EXAMPLES[act],) if method == "POST" and act in _EXAMPLES else (),
            sends=handler is not send_to_group,
            idempotent=handler is not send_to_group,
        )
        for act, whom, handler in (
            ("send_sms", "numbers", send_sms),
            ("send_tocontact", "contacts", send_to_contact),
            ("send_togroup", "groups", send_to_group),
        )
        for method in ("GET", "POST")
    ),
    _endpoint(
        RPC,
        "POST",
        "/jsonrpc/sms",
        "Send an SMS by JSON-RPC",
        jsonrpc,
        media=JSON_MEDIA,
        given=Given(type=SmseagleSms, read=read_rpc),
    ),
    _endpoint(
        V2,
        "POST",
        "/api/v2/messages/sms",
        "Send an SMS by APIv2",
        send_message,
        media=JSON_MEDIA,
        given=Given(type=SmseagleMessage, read=read),
    ),
)
