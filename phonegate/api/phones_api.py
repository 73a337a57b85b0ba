"""The phones of an org as their people see and manage them: listed, named, forgotten."""

from typing import Final

from phonegate.api.convert import CONVERTER, id_in_path, refusal
from phonegate.api.endpoint import Answer, Call, Endpoint, Example, a_list
from phonegate.api.errors import FieldsRefused
from phonegate.api.phones_types import (
    ForgottenAnswer,
    PhoneAnswer,
    PhonePatch,
    PhonesAnswer,
    phone_json,
)
from phonegate.domain.managed_phones import ManagedPhones
from phonegate.domain.phone_management import GivenNumber, NumberRefused
from phonegate.model.refusals import FieldProblem


async def phones(call: Call) -> Answer:
    """Lists the org's phones."""
    caller = call.caller

    def show(found: ManagedPhones) -> bytes:
        shown = tuple(phone_json(phone) for phone in found.phones)
        # An org may have thousands.
        return CONVERTER.encode(
            PhonesAnswer(
                org_id=caller.org_name,
                count=len(shown),
                phones=shown,
                unassigned=found.unassigned,
            )
        )

    return Answer(content=await call.services.phones.show(caller.org, show))


async def change(call: Call) -> Answer:
    """Gives a phone a name, and its SIMs the numbers that it does not know."""
    body: PhonePatch = call.body
    sims = body.sims or ()
    slots = [sim.slot for sim in sims]
    numbers = [sim.number for sim in sims]
    repeated = tuple(
        FieldProblem(f"sims[{index}].{name}", "is given twice")
        for name, values in (("slot", slots), ("number", numbers))
        for index, value in enumerate(values)
        if value is not None and value in values[:index]
    )
    if repeated:
        raise refusal(repeated)
    try:
        phone = await call.services.phones.change(
            call.caller.org,
            id_in_path(call.path["id"]),
            name=body.name,
            numbers=[GivenNumber(slot=sim.slot, number=sim.number) for sim in sims],
        )
    except NumberRefused as error:
        problem = FieldProblem(f"sims[{error.index}].{error.field}", error.problem)
        raise FieldsRefused(error.cause, [problem]) from None
    return Answer(content=PhoneAnswer(phone=phone_json(phone)))


async def forget(call: Call) -> Answer:
    """Forgets a phone. Its messages stay."""
    phone = id_in_path(call.path["id"])
    forgotten = await call.services.phones.forget(call.caller.org, phone)
    return Answer(
        content=ForgottenAnswer(
            id=phone,
            cancelled=forgotten.cancelled,
            uncertain=forgotten.uncertain,
            revoked_key=forgotten.revoked_key,
        )
    )


_SECRET: Final = (("X-Secret-Key", "my-secret-key-123"),)

_JSON: Final = ("Content-Type", "application/json")

_PHONE: Final = (
    '{"id":1,"kind":"link","name":"%s","device_id":"pixel-7","model":"Pixel 7",'
    '"app":"demo/1.0","online":true,"last_seen":"2026-11-21T08:00:00.000Z","battery":83,'
    '"charging":true,"signal":3,"network":"wifi","sims":[{"slot":0,"number":"+15551112222",'
    '"carrier":"AT&T","given":false},%s],"waiting":0,"hint":null}'
)

_BEFORE: Final = _PHONE % ("Pixel", '{"slot":1,"number":null,"carrier":null,"given":false}')

_AFTER: Final = _PHONE % (
    "Reception",
    '{"slot":1,"number":"+15551113333","carrier":null,"given":true}',
)

ENDPOINTS: Final = (
    Endpoint(
        name="list_phones",
        method="GET",
        paths=("/phones/{org}",),
        scope="read",
        group="phones",
        summary="List phones",
        description="Every phone that has connected, has said anything of itself and was not "
        "forgotten, with how it says that it is, its SIMs, and what waits for it.",
        answer=PhonesAnswer,
        size=a_list,
        examples=(
            Example(
                title="the org's phones",
                path="/phones/myorg",
                headers=_SECRET,
                answer=f'{{"org_id":"myorg","count":1,"phones":[{_BEFORE}],"unassigned":0}}',
            ),
        ),
        handler=phones,
    ),
    Endpoint(
        name="change_phone",
        method="PATCH",
        paths=("/phones/{org}/{id}",),
        scope="manage",
        group="phones",
        summary="Name a phone, or the number of a SIM",
        description="Many SIMs don't know their own number. Given here, it can be chosen as sim "
        "from then on, whatever the phone reports later without it. A number that a phone itself "
        "reports wins over one that was given.",
        body=PhonePatch,
        answer=PhoneAnswer,
        error_codes=("not_found", "conflict"),
        examples=(
            Example(
                title="a name, and the number of the second SIM",
                path="/phones/myorg/1",
                headers=(*_SECRET, _JSON),
                body='{"name":"Reception","sims":[{"slot":1,"number":"+15551113333"}]}',
                answer=f'{{"ok":true,"phone":{_AFTER}}}',
            ),
        ),
        handler=change,
    ),
    Endpoint(
        name="forget_phone",
        method="DELETE",
        paths=("/phones/{org}/{id}",),
        scope="manage",
        group="phones",
        summary="Forget a phone",
        description="Its connection is closed, and its SIMs are known no longer. An API key of the "
        "scope phone alone, by which no other phone has come, is revoked with it; by the org's "
        "secret or another key the phone may come back as a new one. Its messages stay: those that "
        "only it could have sent are cancelled, and those that it has had without a result become "
        "uncertain. A SIM that goes on in another phone is best reported by that one first, for "
        "then what waits for its number goes along.",
        answer=ForgottenAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="a phone that is there no longer",
                path="/phones/myorg/1",
                headers=_SECRET,
                answer='{"ok":true,"id":1,"cancelled":0,"uncertain":0,"revoked_key":null}',
            ),
        ),
        handler=forget,
    ),
)
