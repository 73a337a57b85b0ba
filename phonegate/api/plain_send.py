"""The plainest sends: from a whole request to its answer without a task that waits for the commit.

Nearly every send has a credential that was right before, texts of which nothing is asked but that
they leave, and a phone with room for them. There is nothing to wait for but its commit. Every such
request is tried here first. One that is not as plain is left to the pipeline untouched, and its
answer there would have been the same: tests hold the two against each other.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from time import perf_counter
from typing import Any, Final

import attrs
import trio

from phonegate.api.answer_budget import ANYBODY, LARGE_BYTES, Reader
from phonegate.api.begun import Answered, Begun, BegunRequests
from phonegate.api.exchange import Exchange
from phonegate.api.known_head import KnownHead
from phonegate.api.large_bodies import READ_AT_ONCE_BYTES
from phonegate.api.messages_types import SendItem
from phonegate.api.payload import media_type, read_object
from phonegate.api.reply import Reply
from phonegate.api.services import Services
from phonegate.domain.immediate_send import ImmediateSend, PlainText
from phonegate.http.origins import Origins
from phonegate.http.problem import JSON_MEDIA, rate_limit_fields
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.bounds import MAX_BODY, MAX_MESSAGES
from phonegate.model.phones import ANY_SIM
from phonegate.model.principal import Principal
from phonegate.model.refusals import Refused
from phonegate.typed_json.fields import Wrong, fields_of

SEND: Final = "send_sms"
"""The name of their endpoint."""

KNOWN_SIMS: Final = 1_024
"""SIMs whose form is remembered: an app names the same few in every request."""

Headers = tuple[tuple[str, str], ...]
_SINGLE: Final = frozenset({"to", "body", "sim"})
_BATCH: Final = frozenset({"messages", "sim"})

_RULES: Final = {field.name: field.rule for field in fields_of(SendItem) if field.rule is not None}
_recipient, _text, _sim = (_RULES[name].read for name in ("to", "body", "sim"))
_known_sim = lru_cache(KNOWN_SIMS)(_sim)


@attrs.define(eq=False, kw_only=True)
class _Begun(Begun):
    """A plain send whose commit is waited for."""

    send: ImmediateSend


class PlainSends:
    """The plain sends of one gateway.

    Args:
        services: What they work with.
        base_headers: What all answers have.
        origins: The web pages that may ask.
        recalled: Finds out whom a head speaks for, where that is known.
        note: Counts and logs a request that was answered by a status, without an error's code.
        failed: Returns the answer to a request that failed, which is counted and logged by then.
    """

    def __init__(
        self,
        services: Services,
        *,
        base_headers: Headers,
        origins: Origins,
        recalled: Callable[[KnownHead], Principal | None],
        note: Callable[[Exchange, int, None], None],
        failed: Callable[[Exception, Exchange], Reply],
    ) -> None:
        self._services = services
        self._base_headers = base_headers
        self._origins = origins
        self._recalled = recalled
        self._note = note
        self._begun: BegunRequests[_Begun] = BegunRequests(services.shares, failed)

    def begin(self, head: KnownHead, body: bytes, answered: Answered) -> bool:
        """Begins a send, if it is a plain one. See `FastPipeline.begin`."""
        began = perf_counter()
        if head.plain_send is None:
            head.plain_send = _is_plain(head)
        if (
            not head.plain_send
            or len(body) > READ_AT_ONCE_BYTES
            or not self._begun.has_room(len(body))
        ):
            return False
        services = self._services
        principal = self._recalled(head)
        if principal is None or not services.rate_limits.allows(principal.org, began):
            return False
        texts = _texts(body)
        # Longer ones take longer to count and to store, and may be too long for their org.
        most = min(MAX_BODY, services.org_options.of(principal.org).max_characters)
        if texts is not None and any(len(one.body) > most for one in texts):
            return False
        send = None if texts is None else self._enter(principal, texts)
        if send is None:
            return False
        begun = _Begun(
            exchange=Exchange(head, began, head.match),
            principal=principal,
            send=send,
            size=len(body),
            part=services.shares.part(send.size),
            answered=answered,
        )
        if not services.sending.immediate.submit(send, partial(self._done, begun)):
            services.shares.leave(principal.org, begun.part)
            return False
        begun.exchange.org = principal.org_name
        begun.exchange.standing = services.rate_limits.request(principal.org, began)
        self._begun.add(begun)
        return True

    def expire(self) -> None:
        """Answers the sends whose commit takes too long. They are stored no more, if ever."""
        for begun in self._begun.overdue(self._services.sending.immediate.commit_deadline_s):
            begun.send.given_up = True
            self._begun.fail(begun, trio.TooSlowError())

    def _enter(self, principal: Principal, texts: list[PlainText]) -> ImmediateSend | None:
        """Takes places at the phones, and part of the org's share, or neither of both."""
        services = self._services
        part = services.shares.part(len(texts))
        if not services.shares.enter_now(principal.org, part):
            return None
        send = services.sending.immediate.begin(principal, texts, services.now_ms())
        if send is None:
            services.shares.leave(principal.org, part)
        return send

    def _done(self, begun: _Begun, ids: range | None, error: Exception | None) -> None:
        reply = None if ids is None else partial(self._finished, begun, ids)
        self._begun.end(begun, reply, error)

    def _finished(self, begun: _Begun, ids: range) -> Reply:
        reply = self._reply(begun, ids)
        self._note(begun.exchange, reply.status, None)
        return reply

    def _reply(self, begun: _Begun, ids: range) -> Reply:
        """Writes the answer, as `send_request.answer` and `reply.render` do."""
        results = ",".join(
            [
                # A recipient needs no escapes: it is made of digits, and may have a plus.
                f'{{"id":{id_},"to":"{one.address}","status":"sending"}}'
                for id_, one in zip(ids, begun.send.messages, strict=True)
            ]
        )
        text = f'{{"ok":true,"device_online":true,"queued":{len(ids)},"results":[{results}]}}'
        body, owner = text.encode(), ANYBODY
        headers: Headers = (
            ("Content-Type", JSON_MEDIA),
            ("Content-Length", str(len(body))),
            *self._base_headers,
        )
        rate, standing = self._services.rate_limits.org_rate, begun.exchange.standing
        if standing is not None and rate is not None:
            headers = (*headers, *rate_limit_fields("org", rate, standing))
        if self._origins.shared:
            request = begun.exchange.request
            headers = (*headers, *self._origins.fields(request.method, request.headers))
        if len(body) >= LARGE_BYTES:
            owner = Reader(begun.principal.org, begun.principal.key_id or "")
        return Reply(status=200, headers=headers, body=body, owner=owner)


def _is_plain(head: KnownHead) -> bool:
    """Tells whether a request with this head may be a plain send, as far as that says."""
    request, match = head.request, head.match
    headers = request.headers
    try:
        media = media_type(headers.get("content-type"), headers.get("content-encoding"))
    except UnsupportedMedia:
        return False
    return (
        match is not None
        and match.endpoint is not None
        and match.endpoint.name == SEND
        and not head.foreign
        and not request.query
        and media is None
        and "idempotency-key" not in headers
    )


def _texts(body: bytes) -> list[PlainText] | None:
    """Reads the messages of a request. Returns None if any of it is special, or wrong."""
    try:
        content = read_object(body)
        common = _selector(content.get("sim"), ANY_SIM)
        if content.keys() <= _SINGLE:
            return [_plain(content, common)]
        items = content.get("messages")
        if not (
            content.keys() <= _BATCH and type(items) is list and 0 < len(items) <= MAX_MESSAGES
        ):
            return None
        return [_item(one, common) for one in items]
    except (Refused, Wrong):
        pass
    return None


def _item(content: Any, common: str) -> PlainText:
    if type(content) is not dict or not content.keys() <= _SINGLE:
        raise Wrong("must be plain")
    return _plain(content, _selector(content.get("sim"), common))


def _plain(content: dict[str, Any], sim_selector: str) -> PlainText:
    return PlainText(_recipient(content.get("to")), _text(content.get("body")), sim_selector)


def _selector(sim: Any, usual: str) -> str:
    if sim is None:
        return usual
    # Not another type: for a cache, 1 and true are the same.
    selector: str = _known_sim(sim) if type(sim) is str else _sim(sim)
    return selector
