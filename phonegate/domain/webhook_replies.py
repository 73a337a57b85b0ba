"""Sends what the receiver of a webhook answers to a received message, from where it came in.

It is sent with the rights and limits of the API key that made the webhook, or of the org. The call
of a receiver may be repeated after a crash, and what it answers then has been sent already: each
reply is kept under a key of its own, in the transaction that stores it, like the answer to a
request with an Idempotency-Key.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs

from phonegate.domain.carrier_sending import CarrierSending, Draft
from phonegate.domain.idempotency import Keep, kept_answer, kept_under
from phonegate.domain.reply_bound import MOST_REPLIES, ReplyBound
from phonegate.domain.routing import parse_sim_selector
from phonegate.domain.sending import Outgoing, Sending
from phonegate.domain.webhook_standing import reader_of
from phonegate.model.assistants import PHONE
from phonegate.model.messages import MessageView
from phonegate.model.numbers import is_recipient
from phonegate.model.principal import Principal, allows
from phonegate.model.refusals import Refused
from phonegate.model.webhooks import Webhook
from phonegate.store.database import Database

ROUTE: Final = "webhook reply"
"""Under which replies are kept. No path of a request looks so."""


@attrs.frozen(kw_only=True)
class Reply:
    """A message that a receiver asks to send."""

    text: str = attrs.field(repr=False)
    to: str | None = attrs.field(default=None, repr=False)
    """None for the sender of the message that is answered."""
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)


class WebhookReplies:
    """Sends replies.

    Args:
        database: Where keys and kept answers are.
        sending: Sends by phones.
        carrier_sending: Sends by carriers.
        now_ms: The wall clock.
    """

    def __init__(
        self,
        database: Database,
        sending: Sending,
        carrier_sending: CarrierSending,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._sending = sending
        self._carrier_sending = carrier_sending
        self._now_ms = now_ms
        self._bound = ReplyBound()

    async def send(
        self, webhook: Webhook, event: int, message: MessageView, replies: Sequence[Reply]
    ) -> str | None:
        """Sends replies to a received message, each once, however often this is called.

        Args:
            webhook: The webhook whose receiver answered.
            event: The id of the event that it answered.
            message: The message that was received.
            replies: What it answered.

        Returns:
            None where all were sent, else why one was not, in a sentence.

        Raises:
            StoreError, TooSlowError: The store can't be written to. It may be tried again.
        """
        known, sender = await self._database.read(
            lambda tx: (
                tx.webhooks.get(webhook.org, webhook.id) is not None,
                reader_of(tx, webhook),
            )
        )
        if not known:
            return "Its reply was not sent: the webhook was removed meanwhile."
        if sender is None or not allows(sender.scopes, "send"):
            return "Its reply was not sent: the API key that made this webhook may not send."
        for number, reply in enumerate(replies):
            keep: Keep[Any] = Keep(
                route=kept_under(sender, ROUTE),
                key=f"{webhook.id}-{event}-{number}",
                fingerprint=b"",
                render=lambda _: (200, b""),
            )
            try:
                problem = await self._send(sender, message, reply, keep)
            except Refused as error:
                problem = error.detail
            if problem is not None:
                return f"Its reply was not sent: {problem}"
        return None

    async def _send(
        self, sender: Principal, message: MessageView, reply: Reply, keep: Keep[Any]
    ) -> str | None:
        now = self._now_ms()
        if await self._database.read(
            lambda tx: kept_answer(tx, sender.org, keep.route, keep.key, now)
        ):
            return None
        to = message.address if reply.to is None else reply.to
        if not is_recipient(to):
            return "its recipient is no number that can be sent to."
        if self._bound.is_reached(sender.org, to, now):
            return (
                f"{MOST_REPLIES} replies went to this number within an hour. If it answers by "
                "itself, don't answer it."
            )
        if message.provider != PHONE and message.sim is not None:
            draft = Draft(sender=message.sim, to=to, body=reply.text, media_urls=reply.media_urls)
            await self._carrier_sending.send(sender, draft, keep=keep)
        elif reply.media_urls:
            return "it has media, and those are sent from the numbers of carriers only."
        else:
            sim = message.sim if message.sim is not None else message.sim_slot
            outgoing = Outgoing(to=to, body=reply.text, sim_selector=parse_sim_selector(sim))
            await self._sending.send(sender, [outgoing], keep=keep)
        self._bound.note(sender.org, to, now)
        return None
