"""Iterates over what an operation finds."""

from types import TracebackType
from typing import Generic, Self, TypeVar

from phonegate.client.effects import Effect, Found, Operation
from phonegate.client.errors import GatewayError
from phonegate.client.synchronous.shell import OpenStream, Shell

T = TypeVar("T")


class Iteration(Generic[T]):
    """What comes, one after the other, for `for`.

    It holds a connection while it runs. Use it as a context manager, or close it, where it is left
    before the gateway is closed.
    """

    def __init__(self, shell: Shell, operation: Operation[None]) -> None:
        self._shell = shell
        self._operation = operation
        self._stream = OpenStream()
        self._effect: Effect | None = None
        """What was begun last. It is begun anew where it was cancelled."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        try:
            while True:
                if self._effect is None:
                    self._effect = next(self._operation)
                effect = self._effect
                if isinstance(effect, Found):
                    self._effect = None
                    item: T = effect.item
                    return item
                outcome = self._shell.perform(effect, self._stream)
                self._effect = None
                self._effect = self._operation.send(outcome)
        except StopIteration:
            raise StopIteration from None
        except GatewayError:
            self._stream.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the iteration, and closes its connection."""
        self._operation.close()
        self._effect = None
        self._stream.close()
