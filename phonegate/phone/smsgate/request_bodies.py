"""The bodies of the app's requests. Pure.

They follow the app's data classes, field by field. Gson leaves out what is null.
"""

import hashlib
import hmac
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.phone.radios.radio import SimCard
from phonegate.phone.smsgate.app_memory import (
    CANCELLED,
    AppMemory,
    AppMessage,
    HookEvent,
    Job,
    Mail,
)
from phonegate.phone.smsgate.dates import write_date

_SUBJECT: Final = "A picture"
"""Of every MMS."""

_SHOWN: Final = 4
"""Characters at the end of a number, carrier or card that the app does not star out."""


def write(content: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Returns JSON as the app writes it."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return text.encode(errors="surrogatepass")


def registration(name: str, sims: Sequence[SimCard], push_token: str | None) -> dict[str, Any]:
    """Returns the body of `POST /device`."""
    return _present(name=name, pushToken=push_token, simCards=_sim_cards(sims))


def device_change(id: str, sims: Sequence[SimCard], push_token: str | None) -> dict[str, Any]:  # noqa: A002 - the app's own name
    """Returns the body of `PATCH /device`."""
    return _present(id=id, pushToken=push_token, simCards=_sim_cards(sims))


def report(memory: AppMemory, job: Job, offset_min: int, now_ms: int) -> list[dict[str, Any]]:
    """Returns the body of `PATCH /message`: the whole state of one message, as it is now."""
    message = memory.messages.get(job.id)
    if message is None or not job.known:
        states = {CANCELLED: write_date(now_ms, offset_min)}
        return [_present(id=job.id, state=CANCELLED, recipients=[], states=states)]
    return [
        _present(
            id=job.id,
            state=message.state,
            recipients=[
                _present(phoneNumber=one.number, state=one.state, error=one.error)
                for one in message.recipients
            ],
            states={state: write_date(time, offset_min) for state, time in message.history.items()},
        )
    ]


def event(queued: HookEvent, device: str) -> dict[str, Any]:
    """Returns the body of a webhook event."""
    return {
        "id": queued.id,
        "webhookId": queued.webhook.id,
        "event": queued.webhook.event,
        "deviceId": device,
        "payload": dict(queued.payload),
    }


def signature(key: str, body: bytes, timestamp: str) -> str:
    """Returns the `X-Signature` of an event's body."""
    return hmac.new(key.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()


# --- the payloads of events


@attrs.frozen(kw_only=True)
class Health:
    """What `system:ping` says of the phone."""

    version: str
    battery: int
    charging: bool
    failed: int
    """Messages that failed in the last hour."""


def ping(health: Health) -> dict[str, Any]:
    """Returns the payload of `system:ping`."""

    def check(value: int, unit: str, description: str) -> dict[str, Any]:
        return {
            "status": "pass",
            "observedValue": value,
            "observedUnit": unit,
            "description": description,
        }

    checks = {
        "messages:failed": check(health.failed, "messages", "Failed messages for last hour"),
        "connection:status": check(1, "boolean", "Internet connection status"),
        "connection:transport": check(4, "flags", "Network transport type"),
        "connection:cellular": check(0, "index", "Cellular network type"),
        "battery:level": check(health.battery, "percent", "Battery level in percent"),
        "battery:charging": check(int(health.charging), "flags", "Is the phone charging?"),
    }
    return {
        "health": {"version": health.version, "releaseId": 1, "status": "pass", "checks": checks}
    }


def started(sims: Sequence[SimCard]) -> dict[str, Any]:
    """Returns the payload of `app:started`, in which nothing is starred out."""
    return {
        "simCards": [
            _present(
                slotIndex=sim.slot,
                simNumber=sim.slot + 1,
                phoneNumber=sim.number,
                carrierName=sim.carrier,
            )
            for sim in sims
        ]
    }


def outcome(
    message: AppMessage, number: str, time: int, *, own: str | None, parts: int, offset_min: int
) -> dict[str, dict[str, Any]]:
    """Returns the payload of each event that one recipient's state may make, by its name."""
    moment = write_date(time, offset_min)
    recipient = next(one for one in message.recipients if one.number == number)
    common = _present(
        messageId=message.pulled.id,
        sender=own,
        recipient=number,
        simNumber=message.pulled.sim_number,
        phoneNumber=number,
    )
    return {
        "sms:sent": {**common, "partsCount": parts, "sentAt": moment},
        "sms:delivered": {**common, "deliveredAt": moment},
        "sms:failed": {**common, "failedAt": moment, "reason": recipient.error or ""},
        "sms:cancelled": {**common, "cancelledAt": moment},
    }


def received(mail: Mail, *, own: str | None, offset_min: int) -> dict[str, dict[str, Any]]:
    """Returns the payload of each event that a received SMS or MMS makes, by its name."""
    common = _present(
        sender=mail.sender, recipient=own, simNumber=mail.sim_number, phoneNumber=mail.sender
    )
    moment = write_date(mail.received_at, offset_min)
    if mail.parts is None:
        return {
            "sms:received": {
                "messageId": content_hash(mail),
                **common,
                "message": mail.text,
                "receivedAt": moment,
            }
        }
    # The notification bears the carrier's name of the MMS, the whole MMS its row in the phone's
    # store: the two have no id in common.
    return {
        "mms:received": {
            "messageId": f"mms-{content_hash(mail)}",
            **common,
            "transactionId": f"T{content_hash(mail)}",
            "subject": _SUBJECT,
            "size": sum(part["size"] for part in mail.parts),
            "contentClass": "IMAGE_BASIC",
            "receivedAt": moment,
        },
        "mms:downloaded": {
            "messageId": str(mail.number + 1),
            **common,
            "body": mail.text,
            "subject": _SUBJECT,
            "attachments": [dict(part) for part in mail.parts],
            "receivedAt": moment,
        },
    }


def content_hash(mail: Mail) -> str:
    """Returns the app's id of a received message: 32 bits of its content, in hex.

    The app's hash has the time in it. This one has not, so that equal texts of one sender share
    an id, which in the app two messages do by chance.
    """
    return f"{zlib.crc32(f'{mail.sender}|{mail.text}'.encode(errors='surrogatepass')):x}"


def _sim_cards(sims: Sequence[SimCard]) -> list[dict[str, Any]]:
    return [
        _present(
            slotIndex=sim.slot,
            simNumber=sim.slot + 1,
            phoneNumber=_starred(sim.number),
            carrierName=_starred(sim.carrier),
        )
        for sim in sims
    ]


def _starred(text: str | None) -> str | None:
    if text is None:
        return None
    return "*" * (len(text) - _SHOWN) + text[-_SHOWN:]


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
