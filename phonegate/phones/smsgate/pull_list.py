"""What the app finds when it pulls: its messages, until it has reported on them. Pure."""

from collections.abc import Callable, Container, Sequence
from typing import Any, Final

import attrs

from phonegate.phones.frames import SendSms
from phonegate.phones.smsgate.mobile_message import Attachment, State, mobile_message

MOST_LISTED: Final = 100
"""Messages in one answer, as the app's own server gives it. What follows comes with the next."""


MOST_MEDIA_BYTES: Final = 2_000_000
"""Of all media in one answer, unless one message alone has more: two MMS. Base64 makes 2.7 MB of
them, which the app holds in memory several times."""

Media = Callable[[int], Sequence[Attachment] | None]
"""Returns the media of a message. None for one whose media are not fetched."""


@attrs.define
class _Listed:
    frame: SendSms
    since: int
    was_given: bool = False
    """It stood in an answer, so that the app may have it."""
    cancelled: bool = False

    def attachments(self, media: Media) -> Sequence[Attachment] | None:
        """Returns what goes along. None where it is not there yet."""
        return media(self.frame.id) if self.frame.media_urls and not self.cancelled else ()


class PullList:
    """The messages that were given to a phone and not reported on.

    Whether a message is still awaited is for the phone's window to say: `pull` and the others are
    given what is in flight there.
    """

    def __init__(self) -> None:
        self._listed: dict[int, _Listed] = {}

    def __len__(self) -> int:
        return len(self._listed)

    def put(self, frame: SendSms, now: int) -> None:
        """Lists a message, from now on."""
        self._listed[frame.id] = _Listed(frame, now)

    def cancel(self, message_id: int) -> bool:
        """Notes that a message is not to be sent any more.

        Returns whether it is certain that it won't be: no answer has held it, and none will.
        """
        listed = self._listed.get(message_id)
        if listed is None:
            return False
        if not listed.was_given:
            del self._listed[message_id]
            return True
        listed.cancelled = True
        return False

    def has_new(self, in_flight: Container[int], being_fetched: Container[int] = ()) -> bool:
        """Tells whether there is a message that no answer has held yet, and one could.

        Args:
            in_flight: The messages that are awaited.
            being_fetched: Those whose media are on their way.
        """
        self._keep(in_flight)
        return any(
            not listed.was_given and number not in being_fetched
            for number, listed in self._listed.items()
        )

    def with_media(self, in_flight: Container[int]) -> list[SendSms]:
        """Returns the MMS that an answer can hold once their media are there."""
        self._keep(in_flight)
        return [
            listed.frame
            for listed in self._listed.values()
            if listed.frame.media_urls and not listed.cancelled
        ]

    def has_ready(self, media: Media) -> bool:
        """Tells whether there is an MMS that no answer has held yet, and its media are there."""
        return any(
            listed.frame.media_urls and not listed.was_given and media(number) is not None
            for number, listed in self._listed.items()
        )

    def drop(self, message_id: int) -> bool:
        """Takes a message from the list. Returns whether an answer has held it."""
        listed = self._listed.pop(message_id, None)
        return listed is not None and listed.was_given

    def pull(
        self,
        in_flight: Container[int],
        *,
        now: int,
        knows_cancelling: bool,
        media: Media = lambda _number: None,
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """Returns what the app is answered, and the messages whose time ran out before that.

        Args:
            in_flight: The messages that are awaited. What is not is dropped.
            now: In ms.
            knows_cancelling: The app knows that state. Another would send what it stands at.
            media: Finds the media of a message. An MMS without them is left out until they are
                there.
        """
        self._keep(in_flight)
        answer: list[dict[str, Any]] = []
        late: list[int] = []
        room = MOST_MEDIA_BYTES
        for message_id, listed in list(self._listed.items()):
            ends = listed.frame.expires_at
            if ends is not None and ends <= now and not listed.was_given:
                del self._listed[message_id]
                late.append(message_id)
            elif len(answer) < MOST_LISTED and (knows_cancelling or not listed.cancelled):
                attachments = listed.attachments(media)
                if attachments is None:
                    continue
                size = sum(len(one.data) for one in attachments)
                if size > room and room < MOST_MEDIA_BYTES:
                    continue
                room -= size
                state: State = "Cancelling" if listed.cancelled else "Pending"
                answer.append(
                    mobile_message(
                        listed.frame, state=state, created_at=listed.since, attachments=attachments
                    )
                )
                listed.was_given = True
        return answer, late

    def unfetched(self) -> list[int]:
        """Returns the messages that no answer has held, so that the app can't have them."""
        return [number for number, listed in self._listed.items() if not listed.was_given]

    def _keep(self, in_flight: Container[int]) -> None:
        for message_id in [number for number in self._listed if number not in in_flight]:
            del self._listed[message_id]
