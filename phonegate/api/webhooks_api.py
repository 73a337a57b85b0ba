"""Webhooks of an org: URLs that are called with its events, made, changed, tested and watched."""

from collections.abc import Sequence
from typing import Final

from phonegate.api.convert import CONVERTER, id_in_path
from phonegate.api.endpoint import Answer, Call, Endpoint, Example, a_list
from phonegate.api.webhooks_types import (
    DeliveriesAnswer,
    DeliveriesQuery,
    NewWebhookAnswer,
    NewWebhookJson,
    OneWebhookAnswer,
    ReplayedAnswer,
    TestedAnswer,
    WebhookPatch,
    WebhookRemovedAnswer,
    WebhooksAnswer,
    delivery_json,
    webhook_json,
)
from phonegate.domain.webhook_form import Change, NewWebhook
from phonegate.domain.webhooks import Standing
from phonegate.model.refusals import AddressRefused, OrgFull
from phonegate.model.webhooks import Delivery

FIRST_SUCCESS: Final = 200
FIRST_REDIRECT: Final = 300
"""Statuses from the one to below the other say that a receiver has taken an event."""


async def create(call: Call) -> Answer:
    """Makes a webhook, and shows its secret."""
    body: NewWebhookJson = call.body
    made = await call.services.webhooks.add(
        call.caller,
        NewWebhook(
            url=body.url,
            events=body.events,
            address=body.address,
            sim=body.sim,
            phone=body.phone,
            headers=body.headers or {},
            shape=body.shape,
            name=body.name,
        ),
    )
    return Answer(
        status=201,
        content=NewWebhookAnswer(secret=made.webhook.secret, webhook=webhook_json(made)),
    )


async def webhooks(call: Call) -> Answer:
    """Lists the webhooks."""
    caller = call.caller

    def show(found: Sequence[Standing]) -> bytes:
        shown = tuple(map(webhook_json, found))
        return CONVERTER.encode(
            WebhooksAnswer(org_id=caller.org_name, count=len(shown), webhooks=shown)
        )

    return Answer(content=await call.services.webhooks.show(caller.org, show))


async def webhook(call: Call) -> Answer:
    """Shows one."""
    found = await call.services.webhooks.get(call.caller.org, _id(call))
    return Answer(content=OneWebhookAnswer(webhook=webhook_json(found)))


async def change(call: Call) -> Answer:
    """Changes what the request names."""
    body: WebhookPatch = call.body
    changed = await call.services.webhooks.change(
        call.caller,
        _id(call),
        Change(
            url=body.url,
            events=body.events,
            address=body.address,
            sim=body.sim,
            phone=body.phone,
            headers=body.headers or {},
            shape=body.shape,
            name=body.name,
        ),
    )
    return Answer(content=OneWebhookAnswer(webhook=webhook_json(changed)))


async def remove(call: Call) -> Answer:
    """Removes one, with what waits for it."""
    id_ = _id(call)
    await call.services.webhooks.remove(call.caller, id_)
    return Answer(content=WebhookRemovedAnswer(id=id_))


async def rotate(call: Call) -> Answer:
    """Gives one another secret, and shows it."""
    rotated = await call.services.webhooks.rotate(call.caller, _id(call))
    return Answer(
        content=NewWebhookAnswer(secret=rotated.webhook.secret, webhook=webhook_json(rotated))
    )


async def enable(call: Call) -> Answer:
    """Has one called again."""
    enabled = await call.services.webhooks.enable(call.caller, _id(call))
    return Answer(content=OneWebhookAnswer(webhook=webhook_json(enabled)))


async def test(call: Call) -> Answer:
    """Calls one with a sample, and shows what its receiver answered."""
    delivery = await call.services.webhook_deliveries.test(call.caller, _id(call))
    status = None if delivery.last is None else delivery.last.status
    return Answer(
        content=TestedAnswer(
            succeeded=status is not None and FIRST_SUCCESS <= status < FIRST_REDIRECT,
            delivery=delivery_json(delivery),
        )
    )


async def deliveries(call: Call) -> Answer:
    """Shows what was delivered, and what is on its way."""
    caller, asked = call.caller, call.query

    def show(found: Sequence[Delivery]) -> bytes:
        shown = tuple(map(delivery_json, found))
        return CONVERTER.encode(
            DeliveriesAnswer(org_id=caller.org_name, count=len(shown), deliveries=shown)
        )

    return Answer(
        content=await call.services.webhook_deliveries.show(
            caller.org, _id(call), asked.limit, asked.before, show
        )
    )


async def replay(call: Call) -> Answer:
    """Delivers an event again."""
    id_, n = _id(call), id_in_path(call.path["n"], "n")
    await call.services.webhook_deliveries.replay(call.caller, id_, n)
    return Answer(content=ReplayedAnswer(n=n))


def _id(call: Call) -> int:
    return id_in_path(call.path["id"])


_SECRET: Final = (("X-Secret-Key", "my-secret-key-123"),)
_JSON: Final = ("Content-Type", "application/json")


def _shown(*, headers: str = "{}", until: str = "null") -> str:
    return (
        '{"id":3,"name":"crm","url":"https://example.org/sms","events":["message.received"],'
        f'"address":null,"sim":null,"phone":null,"headers":{headers},"shape":"standard",'
        f'"callbacks":false,"secret":"…8Qo=","old_secret_until":{until},"key":null,'
        '"created_at":"2026-11-21T08:00:00.000Z","enabled":true,"disabled_at":null,'
        '"disabled_reason":null,"failing_since":null,"waiting":0,"missed_at":null}'
    )


_DELIVERY: Final = (
    '{"n":17,"event_id":%s,"type":"message.received","created_at":"2026-11-21T08:00:00.000Z",'
    '"attempts":1,"at":"2026-11-21T08:00:00.048Z","status":200,"error":null,"ms":48,'
    '"answer":"ok","next_at":null}'
)

_LATER: Final = '"2026-11-22T08:00:00.000Z"'

_SIGNED_BY: Final = '"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw9K5x0m2u8Qo="'

ENDPOINTS: Final = (
    Endpoint(
        name="create_webhook",
        method="POST",
        paths=("/webhooks/{org}",),
        scope="manage",
        group="webhooks",
        summary="Make a webhook",
        description="From then on its URL is called with each event that it is for, at least "
        "once, and again until it answers with a status from 200 to 299: after 5 s, 30 s, 2 min, "
        "10 min, 30 min, 1 h and then every 3 h, for three days. Events of one message arrive in "
        "their order. A redirect is no success, and 410 ends it at once. A failure of three days "
        "disables it. An API key needs the scope read too, since its holder then reads.",
        body=NewWebhookJson,
        answer=NewWebhookAnswer,
        statuses=(201,),
        error_codes=(AddressRefused.code, OrgFull.code),
        examples=(
            Example(
                title="received messages",
                path="/webhooks/myorg",
                headers=(*_SECRET, _JSON),
                body='{"url":"https://example.org/sms","events":["message.received"],"name":"crm"}',
                answer=f'{{"ok":true,{_SIGNED_BY},"webhook":{_shown()}}}',
                status=201,
            ),
        ),
        handler=create,
    ),
    Endpoint(
        name="list_webhooks",
        method="GET",
        paths=("/webhooks/{org}",),
        scope="manage",
        group="webhooks",
        summary="List webhooks",
        answer=WebhooksAnswer,
        size=a_list,
        examples=(
            Example(
                title="the org's webhooks",
                path="/webhooks/myorg",
                headers=_SECRET,
                answer=f'{{"org_id":"myorg","count":1,"webhooks":[{_shown()}]}}',
            ),
        ),
        handler=webhooks,
    ),
    Endpoint(
        name="get_webhook",
        method="GET",
        paths=("/webhooks/{org}/{id}",),
        scope="manage",
        group="webhooks",
        summary="Show a webhook",
        answer=OneWebhookAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="one of them",
                path="/webhooks/myorg/3",
                headers=_SECRET,
                answer=f'{{"ok":true,"webhook":{_shown()}}}',
            ),
        ),
        handler=webhook,
    ),
    Endpoint(
        name="change_webhook",
        method="PATCH",
        paths=("/webhooks/{org}/{id}",),
        scope="manage",
        group="webhooks",
        summary="Change a webhook",
        description="One whose URL an API key changes is that key's from then on: it is bound by "
        "the key's limits, and is disabled when the key is revoked.",
        body=WebhookPatch,
        answer=OneWebhookAnswer,
        error_codes=("not_found", AddressRefused.code),
        examples=(
            Example(
                title="a header that its receiver asks for",
                path="/webhooks/myorg/3",
                headers=(*_SECRET, _JSON),
                body='{"headers":{"Authorization":"Bearer 9b1c7d2e-4f2a"}}',
                answer='{"ok":true,"webhook":' + _shown(headers='{"Authorization":"…4f2a"}') + "}",
            ),
        ),
        handler=change,
    ),
    Endpoint(
        name="remove_webhook",
        method="DELETE",
        paths=("/webhooks/{org}/{id}",),
        scope="manage",
        group="webhooks",
        summary="Remove a webhook",
        description="What waits for it is never delivered.",
        answer=WebhookRemovedAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="one that is needed no longer",
                path="/webhooks/myorg/3",
                headers=_SECRET,
                answer='{"ok":true,"id":3}',
            ),
        ),
        handler=remove,
    ),
    Endpoint(
        name="test_webhook",
        method="POST",
        paths=("/webhooks/{org}/{id}/test",),
        scope="manage",
        group="webhooks",
        summary="Test a webhook",
        description="Calls it at once with a sample of the first type that it gets, marked by "
        '"test": true and the id 0, and answers with what the receiver said. It waits for that up '
        "to 15 s. A disabled one is called too.",
        answer=TestedAnswer,
        error_codes=("not_found", "conflict"),
        examples=(
            Example(
                title="a receiver that works",
                path="/webhooks/myorg/3/test",
                headers=_SECRET,
                answer=f'{{"ok":true,"succeeded":true,"delivery":{_DELIVERY % "null"}}}',
            ),
        ),
        handler=test,
    ),
    Endpoint(
        name="rotate_webhook_secret",
        method="POST",
        paths=("/webhooks/{org}/{id}/rotate",),
        scope="manage",
        group="webhooks",
        summary="Give a webhook another secret",
        description="For 24 hours the secret before signs too, so that the receiver can be given "
        "the new one meanwhile; in shapes twilio and smsgate, which have one signature, the new "
        "one alone. All webhooks of shape smsgate have one secret, and get the new one.",
        answer=NewWebhookAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="a new secret",
                path="/webhooks/myorg/3/rotate",
                headers=_SECRET,
                answer=f'{{"ok":true,{_SIGNED_BY},"webhook":{_shown(until=_LATER)}}}',
            ),
        ),
        handler=rotate,
    ),
    Endpoint(
        name="enable_webhook",
        method="POST",
        paths=("/webhooks/{org}/{id}/enable",),
        scope="manage",
        group="webhooks",
        summary="Enable a webhook",
        description="A webhook is disabled when it has failed for three days, its receiver has "
        "answered 410, or the API key that made it was revoked. Enabled again, it gets what waits "
        "for it at once, and what is still kept of what happened meanwhile.",
        answer=OneWebhookAnswer,
        error_codes=("not_found",),
        examples=(
            Example(
                title="its receiver works again",
                path="/webhooks/myorg/3/enable",
                headers=_SECRET,
                answer=f'{{"ok":true,"webhook":{_shown(until=_LATER)}}}',
            ),
        ),
        handler=enable,
    ),
    Endpoint(
        name="list_deliveries",
        method="GET",
        paths=("/webhooks/{org}/{id}/deliveries",),
        scope="manage",
        group="webhooks",
        summary="Show what was delivered to a webhook",
        description="What is on its way, and for some days what is over, with what the receiver "
        "answered last.",
        query=DeliveriesQuery,
        answer=DeliveriesAnswer,
        error_codes=("not_found",),
        size=a_list,
        examples=(
            Example(
                title="the log of a webhook",
                path="/webhooks/myorg/3/deliveries?limit=1",
                headers=_SECRET,
                answer='{"org_id":"myorg","count":1,"deliveries":[' + _DELIVERY % "1234" + "]}",
            ),
        ),
        handler=deliveries,
    ),
    Endpoint(
        name="replay_delivery",
        method="POST",
        paths=("/webhooks/{org}/{id}/deliveries/{n}/replay",),
        scope="manage",
        group="webhooks",
        summary="Deliver an event again",
        description="At once, under the same webhook-id, and tried as a new one is.",
        answer=ReplayedAnswer,
        error_codes=("not_found", "conflict"),
        examples=(
            Example(
                title="an event that the receiver lost",
                path="/webhooks/myorg/3/deliveries/17/replay",
                headers=_SECRET,
                answer='{"ok":true,"n":17}',
            ),
        ),
        handler=replay,
    ),
)
