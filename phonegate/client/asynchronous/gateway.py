"""A gateway, as a program uses it."""

from collections.abc import Mapping
from typing import Any

from phonegate.client.asynchronous.event_calls import AsyncEventCalls
from phonegate.client.asynchronous.message_calls import AsyncMessageCalls
from phonegate.client.asynchronous.webhook_calls import AsyncWebhookCalls
from phonegate.client.phones import Me, Phone, Sims


class AsyncGateway(AsyncMessageCalls, AsyncEventCalls, AsyncWebhookCalls):
    """One org at a gateway, for programs that run on asyncio or Trio.

    It is a context manager. All of a program's tasks may use one at the same time.
    """

    async def me(self) -> Me:
        """Returns what the gateway knows of this credential: its org, scopes and limits."""
        return await self._run(self._calls.me())

    async def sims(self) -> Sims:
        """Returns the SIMs of the org's phones, and which are online."""
        return await self._run(self._calls.sims())

    async def phones(self) -> list[Phone]:
        """Returns the org's phones, and how they are."""
        return await self._run(self._calls.phones())

    async def request(
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
        return await self._run(operation)
