"""A gateway, as a program uses it."""

from collections.abc import Mapping
from typing import Any

from phonegate.client.phones import Me, Phone, Sims
from phonegate.client.synchronous.event_calls import EventCalls
from phonegate.client.synchronous.message_calls import MessageCalls
from phonegate.client.synchronous.webhook_calls import WebhookCalls


class Gateway(MessageCalls, EventCalls, WebhookCalls):
    """One org at a gateway, for programs that wait for each answer.

    It is a context manager. All of a program's threads may use one at the same time.
    """

    def me(self) -> Me:
        """Returns what the gateway knows of this credential: its org, scopes and limits."""
        return self._run(self._calls.me())

    def sims(self) -> Sims:
        """Returns the SIMs of the org's phones, and which are online."""
        return self._run(self._calls.sims())

    def phones(self) -> list[Phone]:
        """Returns the org's phones, and how they are."""
        return self._run(self._calls.phones())

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Makes any request of the API that has no method here, and returns its JSON.

        Args:
            method: Such as `GET`.
            path: From `/` on. `{org}` in it stands for the OrgId.
            query: Its parameters. Those that are None are left out.
            body: An object to send as JSON.
            idempotency_key: For routes that take one: with it a POST is repeated as well.

        Raises:
            GatewayError: The gateway refuses, or there is no answer.
        """
        operation = self._calls.request(
            method, path, query=query, body=body, idempotency_key=idempotency_key
        )
        return self._run(operation)
