"""The dispatcher that stands in for phones in tests, held to the contract of the real one."""

import attrs
import pytest

from phonegate.domain.dispatch import Dispatcher, OnlinePhone

from .dispatcher import Phones, as_dispatcher
from .dispatcher_contract import PROMISES, Promise


@attrs.define
class MemoryScene:
    """Phones in memory. Those that can drop messages can all do so at once."""

    phones: Phones = attrs.field(factory=lambda: Phones(room=2, segments_per_minute=8))
    org: int = 1
    _taken: dict[int, int] = attrs.field(factory=dict)

    @property
    def dispatcher(self) -> Dispatcher:
        return as_dispatcher(self.phones)

    async def connect(self, *, cancels: bool = False) -> int:
        phone = len(self.phones.phones) + 1
        features = frozenset({"cancel"} if cancels else ())
        self.phones.phones.append(
            OnlinePhone(phone=phone, device_id=None, name=None, sims=(), features=features)
        )
        return phone

    async def disconnect(self, phone: int) -> None:
        self.phones.phones = [one for one in self.phones.phones if one.phone != phone]

    async def pushed(self, phone: int) -> int:
        given = [message.id for holder, message in self.phones.pushed if holder == phone]
        self._taken[phone] = self._taken.get(phone, 0) + 1
        return given[self._taken[phone] - 1]


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_phones_in_memory_keep_what_the_real_ones_do(promise: Promise) -> None:
    await promise(MemoryScene())
