"""The part of a gateway that follows what happens."""

from phonegate.client.asynchronous.connected import AsyncConnected
from phonegate.client.asynchronous.iteration import AsyncIteration
from phonegate.client.events import Event, Gap, News
from phonegate.client.following import Following, event_filters
from phonegate.client.messages import Message, given


class AsyncEventCalls(AsyncConnected):
    """Follows what happens."""

    def received(
        self,
        *,
        since: int | None = None,
        address: str | None = None,
        sim: str | int | None = None,
    ) -> AsyncIteration[Message]:
        """Iterates over received messages as they come, without end.

        None is left out and none comes twice, over restarts of the gateway and lost connections.

        Args:
            since: The id of the last message that was read before. None: what comes from now on.
            address: Only those from this number.
            sim: Only those of this SIM: its number or slot.
        """
        about = given(address=address, sim=sim)
        return self._each(Following(self._calls).received(about, since))

    def events(
        self,
        *types: str,
        since: int | None = None,
        address: str | None = None,
        sim: str | int | None = None,
        phone: int | None = None,
    ) -> AsyncIteration[Event | Gap]:
        """Iterates over events as they happen, without end.

        None is left out and none comes twice. Where the gateway no longer keeps some that were to
        be read, a `Gap` says so.

        Args:
            types: Only these, such as `message.received` or `phone.*`.
            since: The id of the last event that was read before. None: what happens from now on.
            address: Only those of messages from or to this number.
            sim: Only those of messages by this SIM: its number or slot.
            phone: Only those of the phone of this id, and of messages by it.
        """
        about = event_filters(types, address, sim, phone)
        return self._each(Following(self._calls).events(about, since))

    def news(
        self,
        *types: str,
        since: int | None = None,
        address: str | None = None,
        sim: str | int | None = None,
        phone: int | None = None,
    ) -> AsyncIteration[News]:
        """Iterates over events as `events` does, but over as many at once as came together.

        For programs that keep `News.upto`, from which they go on, in a database.
        """
        about = event_filters(types, address, sim, phone)
        return self._each(Following(self._calls).follow(about, since))

    async def events_page(
        self,
        *types: str,
        since: int | None = None,
        limit: int | None = None,
        wait_s: int | None = None,
        address: str | None = None,
        sim: str | int | None = None,
        phone: int | None = None,
    ) -> News:
        """Returns one page of events: the newest, or the first after an id.

        Args:
            types: As in `events`.
            since: The id after which the page begins. None: the newest events.
            limit: The most events, up to 1000. None: 100.
            wait_s: Seconds to wait for the first, where there is none yet.
            address: As in `events`.
            sim: As in `events`.
            phone: As in `events`.
        """
        about = event_filters(types, address, sim, phone)
        query = {**about, **given(since_id=since, limit=limit, wait=wait_s)}
        return await self._run(Following(self._calls).page(query))
