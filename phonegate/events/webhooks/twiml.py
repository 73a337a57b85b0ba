"""Reads TwiML, by which a receiver of shape `twilio` answers a message with messages. Pure.

Source: twilio.com/docs/messaging/twiml. Of its verbs only `<Message>` means something here. What
else there is, such as `<Redirect>`, is passed over.
"""

from typing import Final
from xml.parsers import expat

from phonegate.domain.webhook_replies import Reply
from phonegate.model.bounds import MAX_BODY, MAX_MEDIA, MAX_URL

MAX_BYTES: Final = 65_536
"""Most bytes of an answer: Twilio's own limit is 64 KB."""

MAX_DEPTH: Final = 16
"""Deepest nesting. TwiML of messages has three levels."""

MAX_REPLIES: Final = 10
"""Most messages of one answer."""

_TOP, _VERB, _PART = 1, 2, 3


class BadTwiml(ValueError):
    """An answer is no TwiML that can be followed. Its text is a sentence, without what was sent."""


def read(answer: bytes) -> tuple[Reply, ...]:
    """Returns the messages that an answer asks to send. An empty answer asks for none.

    Raises:
        BadTwiml: It is no TwiML, or asks for too much.
    """
    if len(answer) > MAX_BYTES:
        raise BadTwiml(f"the answer is longer than {MAX_BYTES:,} bytes")
    if not answer.strip():
        return ()
    reader = _Reader()
    reader.read(answer)
    if len(reader.replies) > MAX_REPLIES:
        raise BadTwiml(f"the answer holds more than {MAX_REPLIES} messages")
    for reply in reader.replies:
        if len(reply.text) > MAX_BODY:
            raise BadTwiml(f"a message of the answer has more than {MAX_BODY:,} characters")
        if len(reply.media_urls) > MAX_MEDIA or any(len(u) > MAX_URL for u in reply.media_urls):
            raise BadTwiml("a message of the answer has too many media, or too long addresses")
    return tuple(one for one in reader.replies if one.text or one.media_urls)


class _Reader:
    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self._path: list[str] = []
        self._to: str | None = None
        self._text: list[str] = []
        self._body: list[str] | None = None
        self._part: list[str] = []
        self._media: list[str] = []

    def read(self, answer: bytes) -> None:
        parser = expat.ParserCreate()
        # A document type can define entities that grow without end, or stand for files.
        parser.StartDoctypeDeclHandler = _refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(answer, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            if isinstance(error, BadTwiml):
                raise
            raise BadTwiml("the answer is no TwiML: it is no well-formed XML") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        depth = len(self._path)
        if depth > MAX_DEPTH:
            raise BadTwiml("the answer is no TwiML: it is nested too deep")
        if depth == _TOP and name != "Response":
            raise BadTwiml("the answer is no TwiML: it does not begin with <Response>")
        if depth == _VERB:
            self._to = attributes.get("to", "").strip() or None
            self._text, self._body, self._media = [], None, []
        if depth == _PART:
            self._part = []

    def _characters(self, text: str) -> None:
        if self._path[1:2] not in (["Message"], ["Sms"]):
            return
        if len(self._path) == _VERB:
            self._text.append(text)
        elif len(self._path) == _PART:
            self._part.append(text)

    def _end(self, name: str) -> None:
        depth = len(self._path)
        self._path.pop()
        if depth == _PART and name == "Body":
            self._body = [*(self._body or ()), *self._part]
        elif depth == _PART and name == "Media":
            self._media.append("".join(self._part).strip())
        elif depth == _VERB and name in ("Message", "Sms"):
            text = "".join(self._text if self._body is None else self._body).strip()
            media = tuple(filter(None, self._media))
            self.replies.append(Reply(text=text, to=self._to, media_urls=media))


def _refuse_doctype(*_: object) -> None:
    raise BadTwiml("the answer is no TwiML: it has a document type")
