"""Assistants of an org: sender numbers and the accounts that send from them, made and changed."""

import re
from collections.abc import Sequence
from typing import Final

from phonegate.api.assistants_types import (
    AssistantAnswer,
    AssistantJson,
    AssistantPatch,
    AssistantsAnswer,
    NewAssistant,
    OrgQuery,
    RemovedAnswer,
    assistant_json,
)
from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import (
    Answer,
    Call,
    Endpoint,
    Example,
    a_list,
)
from phonegate.domain.assistants import Change
from phonegate.model.assistants import Assistant
from phonegate.model.refusals import NotFound, OrgFull

_ID: Final = re.compile(r"[1-9][0-9]{0,17}")


async def create(call: Call) -> Answer:
    """Makes an assistant."""
    body: NewAssistant = call.body
    made = await call.services.assistants.add(
        call.caller.org,
        name=body.name,
        provider=body.provider,
        phone_numbers=body.phone_numbers,
        credentials=body.credentials or {},
    )
    return Answer(status=201, content=AssistantAnswer(assistant=_json(call, made)))


async def assistants(call: Call) -> Answer:
    """Lists the assistants."""
    caller = call.caller

    def show(found: Sequence[Assistant]) -> bytes:
        shown = tuple(_json(call, one) for one in found)
        return CONVERTER.encode(
            AssistantsAnswer(org_id=caller.org_name, count=len(shown), assistants=shown)
        )

    return Answer(content=await call.services.assistants.show(caller.org, show))


async def assistant(call: Call) -> Answer:
    """Shows one."""
    found = await call.services.assistants.get(call.caller.org, _id(call))
    return Answer(content=AssistantAnswer(assistant=_json(call, found)))


async def change(call: Call) -> Answer:
    """Changes what the request names."""
    body: AssistantPatch = call.body
    changed = await call.services.assistants.change(
        call.caller.org,
        _id(call),
        Change(
            name=body.name,
            provider=body.provider,
            phone_numbers=body.phone_numbers,
            credentials=body.credentials,
        ),
    )
    return Answer(content=AssistantAnswer(assistant=_json(call, changed)))


async def remove(call: Call) -> Answer:
    """Removes one. The messages that it sent stay."""
    id_ = _id(call)
    await call.services.assistants.remove(call.caller.org, id_)
    return Answer(content=RemovedAnswer(id=id_))


def _id(call: Call) -> int:
    text = call.path["id"]
    if not _ID.fullmatch(text):
        raise NotFound("No such assistant in this org.")
    return int(text)


def _json(call: Call, one: Assistant) -> AssistantJson:
    return assistant_json(one, call.services.assistants.callback_url(one))


_KEY: Final = ("Authorization", "Bearer pgk_…")
_JSON: Final = ("Content-Type", "application/json")

_ASSISTANT: Final = (
    '{"id":3,"name":"support","provider":"twilio","phone_numbers":["+15551234567"],'
    '"credentials":{"account_sid":"…cdef","auth_token":"…4f2a"},'
    '"created_at":"2026-11-21T08:00:00.000Z","callback_url":null,"from_file":false}'
)

ENDPOINTS: Final = (
    Endpoint(
        name="create_assistant",
        method="POST",
        paths=("/assistants",),
        scope="manage",
        group="assistants",
        summary="Make an assistant",
        description="From then on POST /sms/send sends from its numbers through its provider. "
        "The credentials are shown masked, also here.",
        body=NewAssistant,
        query=OrgQuery,
        answer=AssistantAnswer,
        statuses=(201,),
        error_codes=("conflict", OrgFull.code),
        examples=(
            Example(
                title="a Twilio number",
                path="/assistants",
                headers=(_KEY, _JSON),
                body='{"name":"support","provider":"twilio","phone_numbers":["+15551234567"],'
                '"credentials":{"account_sid":"AC0123456789abcdef0123456789abcdef",'
                '"auth_token":"89abcdef0123456789abcdef01234f2a"}}',
                answer=f'{{"ok":true,"assistant":{_ASSISTANT}}}',
                status=201,
            ),
        ),
        handler=create,
    ),
    Endpoint(
        name="list_assistants",
        method="GET",
        paths=("/assistants",),
        scope="manage",
        group="assistants",
        summary="List assistants",
        query=OrgQuery,
        answer=AssistantsAnswer,
        size=a_list,
        examples=(
            Example(
                title="the org's assistants",
                path="/assistants",
                headers=(_KEY,),
                answer=f'{{"org_id":"myorg","count":1,"assistants":[{_ASSISTANT}]}}',
            ),
        ),
        handler=assistants,
    ),
    Endpoint(
        name="get_assistant",
        method="GET",
        paths=("/assistants/{id}",),
        scope="manage",
        group="assistants",
        summary="Read one assistant",
        query=OrgQuery,
        answer=AssistantAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="one assistant",
                path="/assistants/3",
                headers=(_KEY,),
                answer=f'{{"ok":true,"assistant":{_ASSISTANT}}}',
            ),
        ),
        handler=assistant,
    ),
    Endpoint(
        name="change_assistant",
        method="PATCH",
        paths=("/assistants/{id}",),
        scope="manage",
        group="assistants",
        summary="Change an assistant",
        description="Only what the body names changes. An assistant that gateway.toml declares "
        "is changed there.",
        body=AssistantPatch,
        query=OrgQuery,
        answer=AssistantAnswer,
        error_codes=("not_found", "conflict"),
        examples=(
            Example(
                title="a new auth token",
                path="/assistants/3",
                headers=(_KEY, _JSON),
                body='{"credentials":{"auth_token":"89abcdef0123456789abcdef01234f2a"}}',
                answer=f'{{"ok":true,"assistant":{_ASSISTANT}}}',
            ),
        ),
        handler=change,
    ),
    Endpoint(
        name="remove_assistant",
        method="DELETE",
        paths=("/assistants/{id}",),
        scope="manage",
        group="assistants",
        summary="Remove an assistant",
        description="Its messages stay.",
        query=OrgQuery,
        answer=RemovedAnswer,
        error_codes=("not_found", "conflict"),
        examples=(
            Example(
                title="an assistant that is needed no longer",
                path="/assistants/3",
                headers=(_KEY,),
                answer='{"ok":true,"id":3}',
            ),
        ),
        handler=remove,
    ),
)
