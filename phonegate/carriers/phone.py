"""Sending through an org's own phones: the same interface as a carrier's, over `Sending`.

The gateway itself is the far end, so that little can get lost: a message is stored and under the
reference that it came with in one transaction, where `find` sees it.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import trio

from phonegate.domain.carrier import (
    CarrierFault,
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
    Progress,
)
from phonegate.domain.own_phones import OwnPhones
from phonegate.domain.sending import Keep, Outgoing, SendOutcome
from phonegate.model.bounds import MAX_ID
from phonegate.model.messages import Message
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, Refused, Throttled
from phonegate.model.storage_errors import StoreError
from phonegate.store.database import Database

ROUTE: Final = "phone_carrier"
"""Under which the references of messages are kept."""

_PROGRESS: Mapping[str, Progress] = {
    "queued": "sending",
    "sending": "sending",
    "uncertain": "sending",
    "sent": "sent",
    "delivered": "delivered",
}


class PhoneCarrier:
    """An org's phones as a `domain.carrier.Carrier`.

    Args:
        sender: Whose phones; what may be sent for it is sent.
        phones: Takes the messages.
        database: Where they are kept.
    """

    def __init__(self, sender: Principal, phones: OwnPhones, database: Database) -> None:
        self._sender = sender
        self._org = sender.org
        self._phones = phones
        self._database = database

    async def aclose(self) -> None:
        """Nothing: the phones' connections are their own."""

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        """As `Carrier.send`; the deadline may pass while the disk is written to (see `Sending`)."""
        outgoing = Outgoing(
            to=message.recipient,
            body=message.body,
            sim_selector=message.sender,
            media_urls=message.media_urls or None,
        )
        keep = Keep(
            route=ROUTE,
            key=message.reference,
            fingerprint=hashlib.sha256(message.reference.encode()).digest(),
            render=_render,
        )
        try:
            with trio.fail_after(deadline_s):
                sent = await self._phones.accept(self._sender, outgoing, keep=keep)
        except Throttled as error:
            raise NotTaken(error.detail, error.retry_after_s) from None
        except Conflict:
            raise OutcomeUnknown("a message of this reference was stored already") from None
        except Refused as error:
            raise CarrierRefusal(CarrierFault(code=error.code, text=error.detail)) from None
        except StoreError as error:
            raise NotTaken(f"the gateway can't store it: {type(error).__name__}") from None
        except trio.TooSlowError:
            raise OutcomeUnknown("the gateway did not store it in time") from None
        return CarrierMessage(id=str(sent.id), progress="sending", segments=sent.segments)

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        """As `Carrier.fetch`."""
        if not (carrier_id.isascii() and carrier_id.isdigit()):
            return None
        message_id = int(carrier_id) if len(carrier_id) <= len(str(MAX_ID)) else 0
        try:
            with trio.fail_after(deadline_s):
                found = await self._database.read(
                    lambda tx: tx.messages.find(self._org, message_id)
                )
        except (StoreError, trio.TooSlowError) as error:
            raise NotTaken(f"the gateway can't read it: {type(error).__name__}") from None
        return None if found is None or found.direction != "out" else _as_carrier(found)

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        """As `Carrier.find`: by the reference that was stored with the message."""
        try:
            with trio.fail_after(deadline_s):
                kept = await self._database.read(
                    lambda tx: tx.replies.get(self._org, ROUTE, message.reference)
                )
        except (StoreError, trio.TooSlowError) as error:
            raise NotTaken(f"the gateway can't read it: {type(error).__name__}") from None
        return None if kept is None else await self.fetch(kept.body.decode(), deadline_s=deadline_s)


def _render(outcome: SendOutcome) -> tuple[int, bytes]:
    return 200, str(outcome.results[0].id).encode()


def _as_carrier(message: Message) -> CarrierMessage:
    progress = _PROGRESS.get(message.status, "failed")
    fault = None
    if progress == "failed":
        fault = CarrierFault(code=message.status, text=message.error or message.status)
    return CarrierMessage(
        id=str(message.id),
        progress=progress,
        segments=message.segments,
        fault=fault,
        sent_at=message.sent_at,
        delivered_at=message.delivered_at,
    )
