"""Hooks of an org: secret URLs for programs, made from mappings, changed, tried and watched.

What a program calls is answered by `dialects/hooks.py`.
"""

from typing import Final

from phonegate.api.address import own_address
from phonegate.api.convert import CONVERTER, id_in_path
from phonegate.api.endpoint import Answer, Call, Endpoint, Example, a_list
from phonegate.api.hooks_types import (
    HookPatch,
    HookRemovedAnswer,
    HooksAnswer,
    HookTriedAnswer,
    HookTry,
    NewHookAnswer,
    NewHookJson,
    OneHookAnswer,
    ReadyMappingsAnswer,
    hook_json,
    mapping_of,
    ready_json,
    verification_of,
)
from phonegate.domain.hook_mapping import NotWanted, read_mapping
from phonegate.domain.hooks import HookChange, MadeHook, NewHook
from phonegate.domain.ready_mappings import READY_MAPPINGS
from phonegate.domain.segmentation import count
from phonegate.model.refusals import OrgFull

CALLED: Final = "/hooks/{token}"
"""What a program calls."""


async def create(call: Call) -> Answer:
    """Makes a hook, and shows its URL."""
    body: NewHookJson = call.body
    made = await call.services.hooks.add(
        call.caller,
        NewHook(
            name=body.name,
            mapping=mapping_of(body.mapping),
            verification=verification_of(body.verification),
            key=body.key,
        ),
    )
    return Answer(status=201, content=_with_url(call, made))


async def hooks(call: Call) -> Answer:
    """Lists the hooks."""
    caller = call.caller
    shown = tuple(map(hook_json, await call.services.hooks.of_org(caller.org)))
    answer = HooksAnswer(org_id=caller.org_name, count=len(shown), hooks=shown)
    return Answer(content=CONVERTER.encode(answer))


async def hook(call: Call) -> Answer:
    """Shows one."""
    found = await call.services.hooks.get(call.caller.org, _id(call))
    return Answer(content=OneHookAnswer(hook=hook_json(found)))


async def change(call: Call) -> Answer:
    """Changes what the request names."""
    body: HookPatch = call.body
    verification = verification_of(body.verification)
    changed = await call.services.hooks.change(
        call.caller,
        _id(call),
        HookChange(
            name=body.name,
            mapping=None if body.mapping is None else mapping_of(body.mapping),
            verification=verification,
            unverified=body.verification is not None and verification is None,
            enabled=body.enabled,
        ),
    )
    return Answer(content=OneHookAnswer(hook=hook_json(changed)))


async def remove(call: Call) -> Answer:
    """Removes one."""
    id_ = _id(call)
    await call.services.hooks.remove(call.caller, id_)
    return Answer(content=HookRemovedAnswer(id=id_))


async def rotate(call: Call) -> Answer:
    """Gives one another URL, and shows it."""
    return Answer(content=_with_url(call, await call.services.hooks.rotate(call.caller, _id(call))))


async def try_mapping(call: Call) -> Answer:
    """Shows what a mapping makes of a sample. Sends nothing."""
    body: HookTry = call.body
    found = read_mapping(mapping_of(body.mapping)).apply(body.sample)
    if isinstance(found, NotWanted):
        return Answer(
            content=HookTriedAnswer(
                sends=False, reason=found.reason, to=(), text=None, characters=0, segments=0
            )
        )
    return Answer(
        content=HookTriedAnswer(
            sends=True,
            reason=None,
            to=found.to,
            text=found.text,
            characters=len(found.text),
            segments=count(found.text),
        )
    )


async def ready(call: Call) -> Answer:
    """Lists the ready-made mappings."""
    shown = tuple(map(ready_json, READY_MAPPINGS))
    answer = ReadyMappingsAnswer(org_id=call.caller.org_name, count=len(shown), mappings=shown)
    return Answer(content=CONVERTER.encode(answer))


def _id(call: Call) -> int:
    return id_in_path(call.path["id"])


def _with_url(call: Call, made: MadeHook) -> NewHookAnswer:
    request = call.request
    scheme, host = "https" if request.secure else "http", request.headers.get("host", "")
    address = own_address(call.services.public_url, scheme, host, request.prefix)
    url = address + CALLED.replace("{token}", made.token)
    return NewHookAnswer(url=url, hook=hook_json(made.hook))
