"""Hooks of an org: secret URLs for programs, made from mappings, changed, tried and watched.

What a program calls is answered by `dialects/hooks.py`.
"""

from typing import Final

from phonegate.api.address import own_address
from phonegate.api.convert import CONVERTER, id_in_path
from phonegate.api.dialects.sending import recipients
from phonegate.api.endpoint import Answer, Call, Endpoint, Example, a_list
from phonegate.api.hook_states import (
    HookRemovedAnswer,
    HooksAnswer,
    HookTriedAnswer,
    NewHookAnswer,
    OneHookAnswer,
    ReadyMappingsAnswer,
    hook_json,
    ready_json,
)
from phonegate.api.hooks_types import (
    HookPatch,
    HookTry,
    NewHookJson,
    ReadyQuery,
    mapping_of,
    verification_of,
)
from phonegate.domain.hooks.hooks import HookChange, MadeHook, NewHook
from phonegate.domain.hooks.mapping import NotWanted, read_mapping
from phonegate.domain.hooks.ready_mappings import READY_BY_NAME, READY_MAPPINGS
from phonegate.domain.segmentation import count
from phonegate.model.refusals import OrgFull
from phonegate.own_addresses import SOCKET_HOST

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
            to=await recipients(call, found.to, "mapping.to"),
            text=found.text,
            characters=len(found.text),
            segments=count(found.text),
        )
    )


async def ready(call: Call) -> Answer:
    """Lists the ready-made mappings."""
    only = call.query.name
    found = READY_MAPPINGS if only is None else (READY_BY_NAME[only],)
    shown = tuple(map(ready_json, found))
    answer = ReadyMappingsAnswer(org_id=call.caller.org_name, count=len(shown), mappings=shown)
    return Answer(content=CONVERTER.encode(answer))


def _id(call: Call) -> int:
    return id_in_path(call.path["id"])


def _with_url(call: Call, made: MadeHook) -> NewHookAnswer:
    request = call.request
    scheme, host = "https" if request.secure else "http", request.headers.get("host", "")
    known = "" if host == SOCKET_HOST else host
    address = own_address(call.services.public_url, scheme, known, request.prefix)
    if "://" not in address:
        address = next(iter(call.services.reached_at), address)
    url = address + CALLED.replace("{token}", made.token)
    return NewHookAnswer(url=url, hook=hook_json(made.hook))


_SECRET: Final = (("X-Secret-Key", "my-secret-key-123"),)
_JSON: Final = ("Content-Type", "application/json")

_MAPPING: Final = (
    '{"to":["+15553334444"],"text":"{status | upper}: {commonLabels.alertname}",'
    '"when":["status == firing"]}'
)

_MAPPED: Final = (
    '{"to":["+15553334444"],"text":"{status | upper}: {commonLabels.alertname}",'
    '"when":["status == firing"],"sender":null,"max_characters":640,"repeat_s":10,'
    '"answer":"json"}'
)

_UNVERIFIED: Final = '{"kind":"none","secret":null,"header":null,"timestamp_header":null}'
_VERIFIED: Final = (
    '{"kind":"header","secret":"…4f2a","header":"Authorization","timestamp_header":null}'
)


def _shown(*, verification: str = _UNVERIFIED) -> str:
    return (
        f'{{"id":3,"name":"alertmanager","mapping":{_MAPPED},"verification":{verification},'
        '"key":null,"created_at":"2026-11-21T08:00:00.000Z","enabled":true,"disabled_at":null,'
        '"disabled_reason":null,"calls":0,"last_used_at":null,"last":null}'
    )


_URL: Final = '"url":"https://sms.example.org/hooks/pgh_7Kq2vX9dLmN4pRsT6wYzA1bC3eF5gH8j"'

_READY: Final = CONVERTER.encode(ready_json(READY_BY_NAME["json"])).decode()

_OF_JSON: Final = '{"to":["{to}"],"text":"{text}"}'

ENDPOINTS: Final = (
    Endpoint(
        name="create_hook",
        method="POST",
        paths=("/hooks/of/{org}",),
        scope="manage",
        group="hooks",
        summary="Make a hook",
        description="A secret URL to which a program posts its own JSON, by POST. The mapping "
        "finds numbers and text in it. GET /hooks/ready/{org} has mappings for known programs. A "
        "hook may do nothing but send. It is bound by the limits of the API key that made it, or "
        "that it names, and ends with that key. The caller needs the scope send too.",
        body=NewHookJson,
        answer=NewHookAnswer,
        statuses=(201,),
        error_codes=(OrgFull.code,),
        examples=(
            Example(
                title="alerts that begin",
                path="/hooks/of/myorg",
                headers=(*_SECRET, _JSON),
                body=f'{{"name":"alertmanager","mapping":{_MAPPING}}}',
                answer=f'{{"ok":true,{_URL},"hook":{_shown()}}}',
                status=201,
            ),
        ),
        handler=create,
    ),
    Endpoint(
        name="list_hooks",
        method="GET",
        paths=("/hooks/of/{org}",),
        scope="manage",
        group="hooks",
        summary="List hooks",
        answer=HooksAnswer,
        size=a_list,
        examples=(
            Example(
                title="the org's hooks",
                path="/hooks/of/myorg",
                headers=_SECRET,
                answer=f'{{"org_id":"myorg","count":1,"hooks":[{_shown()}]}}',
            ),
        ),
        handler=hooks,
    ),
    Endpoint(
        name="get_hook",
        method="GET",
        paths=("/hooks/of/{org}/{id}",),
        scope="manage",
        group="hooks",
        summary="Show a hook",
        answer=OneHookAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="one of them",
                path="/hooks/of/myorg/3",
                headers=_SECRET,
                answer=f'{{"ok":true,"hook":{_shown()}}}',
            ),
        ),
        handler=hook,
    ),
    Endpoint(
        name="change_hook",
        method="PATCH",
        paths=("/hooks/of/{org}/{id}",),
        scope="manage",
        group="hooks",
        summary="Change a hook",
        description="Its URL stays as it is. One that an API key changes is that key's from then "
        "on; one of another API key is changed by the org's secret alone.",
        body=HookPatch,
        answer=OneHookAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="a header that its program sends",
                path="/hooks/of/myorg/3",
                headers=(*_SECRET, _JSON),
                body='{"verification":{"kind":"header","secret":"Bearer 9b1c7d2e-4f2a",'
                '"header":"Authorization"}}',
                answer=f'{{"ok":true,"hook":{_shown(verification=_VERIFIED)}}}',
            ),
        ),
        handler=change,
    ),
    Endpoint(
        name="remove_hook",
        method="DELETE",
        paths=("/hooks/of/{org}/{id}",),
        scope="manage",
        group="hooks",
        summary="Remove a hook",
        description="Its URL stops working at once.",
        answer=HookRemovedAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="one that is needed no longer",
                path="/hooks/of/myorg/3",
                headers=_SECRET,
                answer='{"ok":true,"id":3}',
            ),
        ),
        handler=remove,
    ),
    Endpoint(
        name="rotate_hook",
        method="POST",
        paths=("/hooks/of/{org}/{id}/rotate",),
        scope="manage",
        group="hooks",
        summary="Give a hook another URL",
        description="The one before stops working at once.",
        answer=NewHookAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="a new URL",
                path="/hooks/of/myorg/3/rotate",
                headers=_SECRET,
                answer=f'{{"ok":true,{_URL},"hook":{_shown()}}}',
            ),
        ),
        handler=rotate,
    ),
    Endpoint(
        name="try_hook",
        method="POST",
        paths=("/hooks/try/{org}",),
        scope="manage",
        group="hooks",
        summary="Try a mapping",
        description="Shows which numbers and which text a mapping finds in a sample, or what is "
        "wrong with it. Nothing is sent or stored.",
        body=HookTry,
        answer=HookTriedAnswer,
        examples=(
            Example(
                title="a program of one's own",
                path="/hooks/try/myorg",
                headers=(*_SECRET, _JSON),
                body=f'{{"mapping":{_OF_JSON},'
                '"sample":{"to":"+15553334444","text":"Your table is ready"}}',
                answer='{"ok":true,"sends":true,"reason":null,"to":["+15553334444"],'
                '"text":"Your table is ready","characters":19,"segments":1}',
            ),
        ),
        handler=try_mapping,
    ),
    Endpoint(
        name="list_ready_mappings",
        method="GET",
        paths=("/hooks/ready/{org}",),
        scope="manage",
        group="hooks",
        summary="List ready-made mappings",
        description="For known programs, each with a sample of what it posts, and where its URL "
        "is entered there.",
        query=ReadyQuery,
        answer=ReadyMappingsAnswer,
        size=a_list,
        examples=(
            Example(
                title="one of them",
                path="/hooks/ready/myorg?name=json",
                headers=_SECRET,
                answer=f'{{"org_id":"myorg","count":1,"mappings":[{_READY}]}}',
            ),
        ),
        handler=ready,
    ),
)
