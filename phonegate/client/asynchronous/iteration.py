"""Iterates over what an operation finds."""

from types import TracebackType
from typing import Generic, Self, TypeVar

from phonegate.client.asynchronous.shell import AsyncOpenStream, AsyncShell
from phonegate.client.effects import Effect, Found, Operation
from phonegate.client.errors import GatewayError

T = TypeVar("T")


class AsyncIteration(Generic[T]):
    """What comes, one after the other, for `async for`.

    It holds a connection while it runs. Use it as a context manager, or close it, where it is left
    before the gateway is closed. A wait for the next item may be cancelled, by a deadline say, and
    begun again: nothing is lost.
    """

    def __init__(self, shell: AsyncShell, operation: Operation[None]) -> None:
        self._shell = shell
        self._operation = operation
        self._stream = AsyncOpenStream()
        self._effect: Effect | None = None
        """What was begun last. It is begun anew where it was cancelled."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        try:
            while True:
                if self._effect is None:
                    self._effect = next(self._operation)
                effect = self._effect
                if isinstance(effect, Found):
                    self._effect = None
                    item: T = effect.item
                    return item
                outcome = await self._shell.perform(effect, self._stream)
                self._effect = None
                self._effect = self._operation.send(outcome)
        except StopIteration:
            raise StopAsyncIteration from None
        except GatewayError:
            await self._stream.aclose()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the iteration, and closes its connection."""
        self._operation.close()
        self._effect = None
        await self._stream.aclose()
