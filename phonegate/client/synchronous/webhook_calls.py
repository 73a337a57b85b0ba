"""The part of a gateway that makes, changes and tests webhooks."""

from collections.abc import Iterable, Mapping

from phonegate.client.messages import given
from phonegate.client.synchronous.connected import Connected
from phonegate.client.webhooks import (
    KEEP,
    CalledWebhook,
    Delivery,
    Keep,
    NewWebhook,
    Shape,
    Webhook,
    changed_filters,
)


class WebhookCalls(Connected):
    """Makes, changes and tests webhooks."""

    def webhooks(self) -> list[Webhook]:
        """Returns all webhooks of the org."""
        return self._run(self._calls.webhooks())

    def webhook(self, id: int) -> Webhook:  # noqa: A002
        """Returns a webhook. Raises `NotFound` where there is none of this id."""
        return self._run(self._calls.webhook(id))

    def add_webhook(
        self,
        url: str,
        events: Iterable[str] = ("message.received",),
        *,
        name: str | None = None,
        address: str | None = None,
        sim: str | int | None = None,
        phone: int | None = None,
        headers: Mapping[str, str] | None = None,
        shape: Shape | None = None,
    ) -> NewWebhook:
        """Has a URL called with events from now on. The answer has the secret, this once.

        It is not repeated where the answer is lost: look at `webhooks` then.

        Args:
            url: What is called.
            events: Their types, such as `message.*`.
            name: What people call it.
            address: Only events of messages from or to this number.
            sim: Only events of messages by this SIM: its number or slot.
            phone: Only events of this phone, and of messages by it.
            headers: What each call is to have, such as a token.
            shape: How the calls are written. None: `standard`, which `verify_webhook` reads.
        """
        fields = given(
            url=url,
            events=list(events),
            name=name,
            address=address,
            sim=sim,
            phone=phone,
            headers=headers,
            shape=shape,
        )
        return self._run(self._calls.add_webhook(fields))

    def change_webhook(
        self,
        id: int,  # noqa: A002
        *,
        url: str | None = None,
        events: Iterable[str] | None = None,
        name: str | None = None,
        address: str | Keep | None = KEEP,
        sim: str | int | Keep | None = KEEP,
        phone: int | Keep | None = KEEP,
        headers: Mapping[str, str] | None = None,
        shape: Shape | None = None,
    ) -> Webhook:
        """Changes what is given of a webhook. None for a filter removes it."""
        fields = given(
            url=url,
            events=None if events is None else list(events),
            name=name,
            headers=headers,
            shape=shape,
        )
        fields |= changed_filters(address, sim, phone)
        return self._run(self._calls.change_webhook(id, fields))

    def remove_webhook(self, id: int) -> None:  # noqa: A002
        """Removes a webhook, with what still waits for it."""
        self._run(self._calls.remove_webhook(id))

    def test_webhook(self, id: int) -> CalledWebhook:  # noqa: A002
        """Calls a webhook now, with an event made up for it, and returns what came of it."""
        return self._run(self._calls.test_webhook(id))

    def rotate_webhook(self, id: int) -> NewWebhook:  # noqa: A002
        """Gives a webhook another secret. The old one signs as well for a day."""
        return self._run(self._calls.rotate_webhook(id))

    def enable_webhook(self, id: int) -> Webhook:  # noqa: A002
        """Has a disabled webhook called again, from where it was."""
        return self._run(self._calls.enable_webhook(id))

    def deliveries(self, id: int) -> list[Delivery]:  # noqa: A002
        """Returns the latest calls of a webhook, and what came of them."""
        return self._run(self._calls.deliveries(id))

    def replay(self, id: int, n: int) -> None:  # noqa: A002
        """Makes the call `n` of a webhook once more."""
        self._run(self._calls.replay(id, n))
