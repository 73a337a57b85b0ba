"""Webhooks by the third-party API of SMS Gateway for Android: one event each, and an id."""

from typing import Final

from phonegate.api.convert import id_in_path
from phonegate.api.dialects.smsgate.dialect import endpoints, no_device, phone_of, shown
from phonegate.api.dialects.smsgate.forms import SmsgateNewWebhook
from phonegate.api.dialects.smsgate.wording import webhook
from phonegate.api.endpoint import Answer, Call
from phonegate.domain import webhook_form
from phonegate.domain.dialect_tokens import random_id
from phonegate.events.webhooks.smsgate_shape import EVENTS
from phonegate.model.refusals import BadInput, NotFound


async def show_all(call: Call) -> Answer:
    """Lists the webhooks of this shape."""
    found = await call.services.webhooks.of_org(call.caller.org)
    return shown([webhook(one) for one in found if one.shape == "smsgate"])


async def put(call: Call) -> Answer:
    """Makes a webhook, or puts it in the place of the one with its id."""
    body: SmsgateNewWebhook = call.body
    client_id, phone = body.id or random_id(), phone_of(body.deviceId)
    try:
        made = await call.services.webhooks.put(
            call.caller,
            webhook_form.NewWebhook(
                url=body.url,
                events=EVENTS[body.event],
                phone=phone,
                shape="smsgate",
                name=client_id,
                client_id=client_id,
                client_event=body.event,
            ),
        )
    except BadInput as error:
        if any(one.field == "phone" for one in error.problems):
            raise no_device() from None
        raise
    return shown(webhook(made.webhook), status=201)


async def remove(call: Call) -> Answer:
    """Removes a webhook. That there is none is no error, as the API has it."""
    services, client_id = call.services, call.path["id"]
    if not await services.webhooks.remove_called(call.caller, client_id):
        try:
            found = await services.webhooks.get(call.caller.org, id_in_path(client_id))
            if found.webhook.shape == "smsgate" and found.webhook.client_id is None:
                await services.webhooks.remove(call.caller, found.webhook.id)
        except (BadInput, NotFound):
            pass
    return Answer(status=204)


ENDPOINTS: Final = (
    *endpoints(
        "list_webhooks",
        "GET",
        ("/webhooks",),
        show_all,
        "List webhooks",
        scope="manage",
        grant="webhooks:list",
        lists=True,
    ),
    *endpoints(
        "put_webhook",
        "POST",
        ("/webhooks",),
        put,
        "Make or change a webhook",
        scope="manage",
        grant="webhooks:write",
        body=SmsgateNewWebhook,
        statuses=(201,),
        error_codes=("address_refused", "org_full", "conflict"),
    ),
    *endpoints(
        "remove_webhook",
        "DELETE",
        ("/webhooks/{id}",),
        remove,
        "Remove a webhook",
        scope="manage",
        grant="webhooks:delete",
        statuses=(204,),
    ),
)
