"""Phones by the third-party API of SMS Gateway for Android, and how they and the gateway are."""

from collections.abc import Sequence
from typing import Final

import trio

from phonegate.api.dialects.smsgate.dialect import (
    BASES,
    ROOT,
    device_in_path,
    endpoints,
    not_here,
    shown,
)
from phonegate.api.dialects.smsgate.forms import SmsgateNewSettings
from phonegate.api.dialects.smsgate.wording import device, health
from phonegate.api.endpoint import Answer, Call
from phonegate.api.health import NO_ORG, READ_DEADLINE_S
from phonegate.domain.managed_phones import ManagedPhone, ManagedPhones
from phonegate.model.principal import allows
from phonegate.model.storage_errors import StorageUnavailable

NO_LOGS: Final = (
    "The logs of phones don't come to the gateway. GET /webhooks/ORG/ID/deliveries has what was "
    "delivered to webhooks, and the gateway's own log is its owner's."
)


async def show_all(call: Call) -> Answer:
    """Lists the phones."""
    return shown([device(one) for one in await _phones(call)])


async def remove(call: Call) -> Answer:
    """Forgets a phone. Its messages stay."""
    await call.services.phones.forget(call.caller.org, device_in_path(call))
    return Answer(status=204)


async def show_health(call: Call) -> Answer:
    """Answers that the gateway works, once one row was read."""
    await _require_store(call)
    return shown(health())


async def show_device_health(call: Call) -> Answer:
    """Answers the same as a phone does in its local mode: with its connection and battery."""
    await _require_store(call)
    phones = await _phones(call) if allows(call.caller.scopes, "read") else ()
    return shown(health(phones))


async def settings(call: Call) -> Answer:
    """Shows what can be set: the key that signs the calls of webhooks."""
    key = await call.services.webhooks.signing_key(call.caller.org)
    return shown({"webhooks": {"signing_key": key}})


async def change_settings(call: Call) -> Answer:
    """Sets that key. All else of the app's settings is the gateway's or the phone's own."""
    body: SmsgateNewSettings = call.body
    key = None if body.webhooks is None else body.webhooks.signing_key
    if key is None:
        return not_here(
            "Only webhooks.signing_key can be set here. Pacing, SIMs and retries are settings of "
            "the gateway."
        )
    await call.services.webhooks.change_signing_key(call.caller, key)
    return await settings(call)


async def logs(_: Call) -> Answer:
    """Answers that there are none."""
    return not_here(NO_LOGS)


async def _phones(call: Call) -> Sequence[ManagedPhone]:
    def look(found: ManagedPhones) -> Sequence[ManagedPhone]:
        return found.phones

    return await call.services.phones.show(call.caller.org, look)


async def _require_store(call: Call) -> None:
    """Makes sure that the store can be read.

    Raises:
        StorageUnavailable: It can't.
    """
    with trio.move_on_after(READ_DEADLINE_S) as deadline:
        await call.services.accounts.orgs.find(NO_ORG)
    if deadline.cancelled_caught:
        raise StorageUnavailable("reading took too long")


ENDPOINTS: Final = (
    *endpoints(
        "list_devices",
        "GET",
        ("/devices", "/device"),
        show_all,
        "List phones",
        scope="read",
        grant="devices:list",
        lists=True,
    ),
    *endpoints(
        "remove_device",
        "DELETE",
        ("/devices/{id}", "/device/{id}"),
        remove,
        "Forget a phone",
        scope="manage",
        grant="devices:delete",
        statuses=(204,),
        error_codes=("not_found",),
    ),
    *endpoints(
        "health",
        "GET",
        ("/health", "/health/live", "/health/ready", "/health/startup"),
        show_health,
        "Whether the gateway works",
        scope=None,
        bases=BASES,
        error_codes=("storage_unavailable",),
    ),
    *endpoints(
        "device_health",
        "GET",
        ("/health",),
        show_device_health,
        "Whether the gateway works, and how a phone is",
        scope="any",
        bases=ROOT,
        error_codes=("storage_unavailable",),
    ),
    *endpoints(
        "get_settings",
        "GET",
        ("/settings",),
        settings,
        "Show what signs the calls of webhooks",
        scope="manage",
        grant="settings:read",
    ),
    *endpoints(
        "change_settings",
        "PATCH",
        ("/settings",),
        change_settings,
        "Set what signs the calls of webhooks",
        scope="manage",
        grant="settings:write",
        body=SmsgateNewSettings,
    ),
    *endpoints(
        "replace_settings",
        "PUT",
        ("/settings",),
        change_settings,
        "Set what signs the calls of webhooks",
        scope="manage",
        grant="settings:write",
        body=SmsgateNewSettings,
    ),
    *endpoints(
        "logs",
        "GET",
        ("/logs",),
        logs,
        "Refused: there are none",
        scope="read",
        grant="logs:read",
        statuses=(501,),
    ),
)
