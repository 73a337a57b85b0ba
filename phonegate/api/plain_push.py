"""The plainest pushes of received SMS, answered without a task that waits for their commit.

What `plain_send` does for sends: a push whose credential was right before, of fields that are known
and in JSON, waits for nothing but its commit. One that is not as plain is left to the pipeline
untouched, and its answer there would have been the same.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Final

import attrs
import trio

from phonegate.api.begun import Answered, Begun, BegunRequests
from phonegate.api.endpoint import Answer
from phonegate.api.exchange import Exchange
from phonegate.api.known_head import KnownHead
from phonegate.api.large_bodies import READ_AT_ONCE_BYTES
from phonegate.api.messages_types import Webhook
from phonegate.api.payload import media_type, read_object
from phonegate.api.push_answer import push_answer
from phonegate.api.reply import Reply
from phonegate.api.reported_types import Batch
from phonegate.api.services import Services
from phonegate.domain.inbox import Receipt
from phonegate.domain.received_sms import ReceivedSms
from phonegate.http.refusals import UnsupportedMedia
from phonegate.model.principal import Principal
from phonegate.model.refusals import Refused
from phonegate.typed_json.fields import Rule, Wrong, fields_of

PUSH: Final = "push_messages"
"""The name of their endpoint."""

_KNOWN: Final = frozenset({"org_id", "device_id", "messages"})
_OF_SMS: Final = frozenset(field.name for field in fields_of(ReceivedSms))


def _rule(name: str) -> Rule:
    found = next(field.rule for field in fields_of(Webhook) if field.name == name)
    assert found is not None, "each field of a request has one"  # noqa: S101
    return found


_read_messages: Final = _rule("messages").read
_read_device: Final = _rule("device_id").read


@attrs.define(eq=False, kw_only=True)
class _Begun(Begun):
    """A plain push whose commit is waited for."""

    batch: Batch


class PlainPushes:
    """The plain pushes of one gateway.

    Args:
        services: What they work with.
        timeout_s: Seconds that a request may take.
        finished: Returns an answer as it is written, which is counted and logged by then.
        failed: Returns the answer to a request that failed, likewise.
    """

    def __init__(
        self,
        services: Services,
        *,
        timeout_s: float,
        finished: Callable[[Answer, Exchange], Reply],
        failed: Callable[[Exception, Exchange], Reply],
    ) -> None:
        self._services = services
        self._timeout_s = timeout_s
        self._finished = finished
        self._begun: BegunRequests[_Begun] = BegunRequests(services.shares, failed)

    def begin(self, head: KnownHead, body: bytes, answered: Answered) -> bool:
        """Begins a push, if it is a plain one. See `FastPipeline.begin`."""
        began = perf_counter()
        if head.plain_push is None:
            head.plain_push = _is_plain(head)
        if (
            not head.plain_push
            or len(body) > READ_AT_ONCE_BYTES
            or not self._begun.has_room(len(body))
        ):
            return False
        content = _content(body)
        principal = None if content is None else self._caller(head, content.get("org_id"))
        if content is None or principal is None:
            return False
        services = self._services
        try:
            batch: Batch = _read_messages(content["messages"])
        except Wrong:
            return False
        part = services.shares.part(len(batch.entries))
        if not (
            services.rate_limits.allows(principal.org, began)
            and services.shares.enter_now(principal.org, part)
        ):
            return False
        begun = _Begun(
            exchange=Exchange(head, began, head.match),
            principal=principal,
            batch=batch,
            size=len(body),
            part=part,
            answered=answered,
        )
        if not services.inbox.begin(
            principal.org,
            batch.readable,
            device_id=_read_device(content.get("device_id")),
            key=principal.key_id,
            done=partial(self._done, begun),
        ):
            services.shares.leave(principal.org, part)
            return False
        services.cleaned.update(batch.cleaned)
        begun.exchange.org = principal.org_name
        begun.exchange.set_reader(principal)
        begun.exchange.standing = services.rate_limits.request(principal.org, began)
        self._begun.add(begun)
        return True

    def expire(self) -> None:
        """Answers the pushes whose commit takes too long. They may yet be stored."""
        for begun in self._begun.overdue(self._timeout_s):
            self._begun.fail(begun, trio.TooSlowError())

    def _caller(self, head: KnownHead, org: object) -> Principal | None:
        """Returns whom a request speaks for, where its credential is remembered."""
        if head.credential is None or not (org is None or type(org) is str):
            return None
        authentication, request = self._services.authentication, head.request
        mark = authentication.mark(
            head.credential,
            org,
            request.client,
            relayed=request.relayed,
            foreign_host=head.foreign_host,
        )
        endpoint = None if head.match is None else head.match.endpoint
        scope = None if endpoint is None else endpoint.needed_scope
        return authentication.remembered(mark, org, scope)

    def _done(self, begun: _Begun, receipt: Receipt | None, error: Exception | None) -> None:
        reply = None if receipt is None else partial(self._reply, begun, receipt)
        self._begun.end(begun, reply, error)

    def _reply(self, begun: _Begun, receipt: Receipt) -> Reply:
        content = push_answer(begun.principal.org_name, begun.batch, receipt)
        return self._finished(Answer(content=content), begun.exchange)


def _is_plain(head: KnownHead) -> bool:
    """Tells whether a request with this head may be a plain push, as far as that says."""
    match, headers = head.match, head.request.headers
    try:
        media = media_type(headers.get("content-type"), headers.get("content-encoding"))
    except (Refused, UnsupportedMedia):
        return False
    return (
        match is not None
        and match.endpoint is not None
        and match.endpoint.name == PUSH
        and not head.foreign
        and not head.request.query
        and media is None
    )


def _content(body: bytes) -> dict[str, Any] | None:
    """Reads a body. Returns None if any of its fields is special, or unknown."""
    try:
        content = read_object(body, reported=True)
    except Refused:
        return None
    messages = content.get("messages")
    if not content.keys() <= _KNOWN or type(messages) is not list:
        return None
    if all(type(one) is dict and one.keys() <= _OF_SMS for one in messages):
        return content
    return None
