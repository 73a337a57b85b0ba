"""The part of a gateway that sends, reads and decides about messages."""

from collections.abc import Iterable, Sequence
from typing import Literal

from phonegate.client.calls import all_pages
from phonegate.client.messages import (
    Cancelled,
    Message,
    Moment,
    Outgoing,
    SendAnswer,
    SendResult,
    SmsSent,
    Until,
    given,
)
from phonegate.client.synchronous.connected import Connected
from phonegate.client.synchronous.iteration import Iteration
from phonegate.client.waiting import wait


class MessageCalls(Connected):
    """Sends, reads and decides about messages."""

    def send(
        self,
        to: str | Sequence[str],
        body: str,
        *,
        sim: str | int | None = None,
        ttl: float | None = None,
        send_at: Moment | None = None,
        priority: int | None = None,
        on_uncertain: Literal["hold", "resend"] | None = None,
        idempotency_key: str | None = None,
    ) -> SendAnswer:
        """Sends a text to one number or to many.

        Once it has returned, the messages are stored for good, and each leaves when it can.

        Args:
            to: A number such as `+15553334444`, or several.
            body: The text.
            sim: The number or slot of the SIM that is to send it. None: the first phone.
            ttl: Seconds after which it may not leave any more.
            send_at: When it is to leave: a datetime with a time zone.
            priority: Higher ones leave first.
            on_uncertain: Whether it is sent again where its phone vanished with it (`resend`).
            idempotency_key: Names this call, so that it is done once however often it is made. By
                default each call has a new one, under which it is repeated where an answer is lost.

        Raises:
            Refused: A number, the SIM or another field is wrong, or a limit is reached.
            GatewayError: There was no answer. The messages may be stored all the same: a call with
                the same key tells, and never stores them twice.
            ValueError: `send_at` has no time zone, or no header can hold the key: it must be
                printable ASCII, without blanks around it.
        """
        each = [
            Outgoing(
                to=number,
                body=body,
                sim=sim,
                ttl=ttl,
                send_at=send_at,
                priority=priority,
                on_uncertain=on_uncertain,
            )
            for number in ([to] if isinstance(to, str) else to)
        ]
        return self._run(self._calls.send_all(each, idempotency_key))

    def send_all(
        self, messages: Iterable[Outgoing], *, idempotency_key: str | None = None
    ) -> SendAnswer:
        """Sends up to 500 different messages: all of them, or none where one is wrong."""
        return self._run(self._calls.send_all(messages, idempotency_key))

    def send_from(
        self,
        sender: str,
        to: str,
        body: str,
        *,
        media_urls: Sequence[str] = (),
        ttl: float | None = None,
        send_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> SmsSent:
        """Sends a message from one of the org's numbers, by its carrier or phone.

        Args:
            sender: The number: that of an assistant or of an own SIM.
            to: The recipient.
            body: The text.
            media_urls: Pictures and the like, which make it an MMS.
            ttl: Seconds after which it may not leave any more.
            send_at: When it is to leave: a datetime with a time zone.
            idempotency_key: As in `send`.

        Raises:
            CarrierFailed: The carrier did not take it, or may have.
            GatewayError: As in `send`.
        """
        operation = self._calls.send_from(
            sender,
            to,
            body,
            media_urls=media_urls,
            ttl=ttl,
            send_at=send_at,
            idempotency_key=idempotency_key,
        )
        return self._run(operation)

    def messages(
        self,
        *,
        since: int = 0,
        before: int | None = None,
        direction: Literal["in", "out"] | None = None,
        status: str | None = None,
        waiting_for: str | None = None,
        address: str | None = None,
        sim: str | int | None = None,
        key: str | None = None,
        search: str | None = None,
    ) -> Iteration[Message]:
        """Iterates over all messages that fit, the oldest first, page by page.

        Args:
            since: The id after which to begin.
            before: The id before which to end.
            direction: Only received (`in`) or sent ones (`out`).
            status: Only those of this status.
            waiting_for: Only those that wait for this, such as `approval`.
            address: Only those from or to this number.
            sim: Only those of this SIM: its number or slot.
            key: Only those that this API key sent.
            search: Only those that hold all these words.
        """
        about = given(
            direction=direction,
            status=status,
            waiting_for=waiting_for,
            address=address,
            sim=sim,
            key=key,
            q=search,
        )
        return self._each(all_pages(self._calls, about, since, before))

    def page(
        self,
        *,
        since: int | None = None,
        before: int | None = None,
        limit: int | None = None,
        direction: Literal["in", "out"] | None = None,
        status: str | None = None,
        waiting_for: str | None = None,
        address: str | None = None,
        sim: str | int | None = None,
        key: str | None = None,
        search: str | None = None,
    ) -> list[Message]:
        """Returns one page: the newest messages, or the first after an id. By ascending id.

        Args:
            since: The id after which the page begins. None: the newest messages.
            before: The id before which it ends.
            limit: The most messages, up to 1000. None: 100.
            direction: As in `messages`, as is all that follows.
            status: Only those of this status.
            waiting_for: Only those that wait for this.
            address: Only those from or to this number.
            sim: Only those of this SIM.
            key: Only those that this API key sent.
            search: Only those that hold all these words.
        """
        query = given(
            since_id=since,
            before_id=before,
            limit=limit,
            direction=direction,
            status=status,
            waiting_for=waiting_for,
            address=address,
            sim=sim,
            key=key,
            q=search,
        )
        return self._run(self._calls.page(query))

    def message(self, id: int) -> Message:  # noqa: A002 - the argument's own name
        """Returns a message. Raises `NotFound` where there is none of this id."""
        return self._run(self._calls.message(id))

    def wait(
        self,
        message: int | Message | SendAnswer | SendResult,
        until: Until = "sent",
        *,
        deadline_s: float = 60.0,
    ) -> Message:
        """Waits until a message has come to a state, and returns it.

        It returns too where the message is lost: look at `has_left`.

        Args:
            message: The message or its id, or what `send` has returned.
            until: `sent`, `delivered` (phones report that only where the network does), or `final`.
            deadline_s: Seconds after which to give up.

        Raises:
            NotInTime: It has not come to that state.
            GatewayError: The gateway refuses, or has not answered at all.
        """
        id_ = message if isinstance(message, int) else message.id
        return self._run(wait(self._calls, id_, until, deadline_s))

    def cancel(self, id: int) -> Cancelled:  # noqa: A002
        """Cancels a message that has not left.

        Raises:
            Refused: It has left, or has ended otherwise.
            NotFound: There is none of this id.
        """
        return self._run(self._calls.cancel(id))

    def approve(self, id: int) -> Message:  # noqa: A002
        """Approves a message that waits for a person's approval."""
        return self._run(self._calls.decide(id, "approve"))

    def refuse(self, id: int) -> Message:  # noqa: A002
        """Refuses a message that waits for a person's approval, which cancels it."""
        return self._run(self._calls.decide(id, "refuse"))
