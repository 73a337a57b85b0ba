"""`POST /hooks/{token}`: what programs post in JSON of their own is sent by the mapping of a hook.

A program that had no answer posts the same again, mostly within seconds, and under another
`webhook-id` each time (GoTrue) or the same (Standard Webhooks). Both are repeats, which send
nothing and get the answer of the first call.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final

import attrs

from phonegate import log
from phonegate.api.convert import CONVERTER
from phonegate.api.dialect import Dialect, Refusal, Worded
from phonegate.api.dialect_errors import in_dialect
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import Accepted, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.api.errors import LIMIT_CODES, answer_for
from phonegate.api.flat_message import FORM, MULTIPART
from phonegate.api.given import form_pairs, multipart_pairs
from phonegate.api.hooks_api import CALLED
from phonegate.api.idempotency_key import REPLAYED, fingerprint
from phonegate.api.payload import check_media, media_type, read_value
from phonegate.domain.carrier_sending import OPEN
from phonegate.domain.hooks.hooks import KnownHook
from phonegate.domain.hooks.mapping import Found, NotWanted, read_mapping
from phonegate.domain.hooks.verification import verify
from phonegate.domain.idempotency import Keep, kept_under
from phonegate.http.login import Login
from phonegate.http.problem import JSON_MEDIA
from phonegate.http.refusals import FIRST_ERROR
from phonegate.model.hooks import MAX_CALL_BYTES, Hook, HookMapping, Outcome
from phonegate.model.orgs import KeptAnswer
from phonegate.model.refusals import Conflict, RateExceeded, Refused, Unauthorized
from phonegate.model.states import FAILED
from phonegate.typed_json.fields import field

WEBHOOK_ID: Final = "webhook-id"
"""The header by which Standard Webhooks names a message, the same in each try."""

ADVICE: Final = "Send JSON, with Content-Type: application/json, or a form."

_log = log.get("hooks")


@attrs.frozen(kw_only=True)
class HookMessage:
    """A message that came of a call."""

    id: int = field("Its id.", example=123)
    status: str = field("Its state.", example="sending")


@attrs.frozen(kw_only=True)
class CalledAnswer:
    """What came of a call."""

    sent: bool = field("Whether messages were accepted.", example=True)
    messages: tuple[HookMessage, ...] = field("One for each recipient.")
    reason: str | None = field("Why nothing was sent, in a sentence.")


async def take(call: Call) -> Answer:
    """Sends what a program has posted, as the mapping of its hook says."""
    services, request = call.services, call.request
    known = await services.hooks.by_token(call.path["token"])
    hook = known.hook
    try:
        services.rate_limits.request(hook.org, perf_counter())
    except RateExceeded as error:
        # It is not noted: there are too many of them.
        return _for_program(hook, _worded(error, call))
    if hook.verification is not None:
        try:
            verify(hook.verification, request.headers, request.body, services.now_ms())
        except Unauthorized as error:
            await services.hooks.note(hook, Outcome(kind="refused", detail=error.detail))
            raise
    try:
        answer, outcome = await _answered(call, known)
    except Refused as error:
        answer, outcome = _worded(error, call), Outcome(kind="refused", detail=error.detail)
    await services.hooks.note(hook, outcome)
    _log.debug("hook_called", org=hook.org_name, hook=hook.id, outcome=outcome.kind)
    return _for_program(hook, answer)


async def _answered(call: Call, known: KnownHook) -> tuple[Answer, Outcome]:
    """Returns the answer to a call of a known program, and what became of it.

    Raises:
        Refused: It can't be read, or its messages are not accepted.
    """
    services, request, hook = call.services, call.request, known.hook
    found = await services.large_bodies.read(
        partial(_found, hook.mapping, request.body, request.headers), len(request.body), hook.org
    )
    if isinstance(found, NotWanted):
        nothing = CalledAnswer(sent=False, messages=(), reason=found.reason)
        return Answer(content=nothing), Outcome(kind="skipped", detail=found.reason)
    repeats = _Repeats.of(hook, request.headers, request.body, services.now_ms())
    route, org = kept_under(known.sender, _route(hook)), hook.org
    with services.hooks.turn(hook, repeats.body_mark):
        for key, since in repeats.earlier:
            kept = await services.idempotency.kept(org, route, key)
            if kept is not None and kept.created_at >= since:
                answer = _again(kept)
                return answer, _outcome(answer)
        # Its own address would be kept with the answer, and it is a secret.
        own = attrs.evolve(request, path=_path(hook), headers=repeats.headers)
        acting = attrs.evolve(call, principal=known.sender, request=own)
        to = await recipients(acting, found.to)
        wanted = [Wanted(to=one, body=found.text, sender=hook.mapping.sender) for one in to]
        async with services.shares.take(org, len(wanted)):
            answer = await send(DIALECT, acting, wanted, _accepted, fields=("to", "text"))
        if repeats.id_key is not None and answer.status < FIRST_ERROR:
            keep: Keep[Answer] = Keep(
                route=route,
                key=repeats.id_key,
                fingerprint=fingerprint([]),
                render=lambda one: (one.status, one.content),
            )
            await services.idempotency.keep(org, keep, answer, services.now_ms())
    return answer, _outcome(answer)


def _outcome(answer: Answer) -> Outcome:
    """Returns what became of a call, by its answer."""
    content = json.loads(answer.content)
    if answer.status >= FIRST_ERROR:
        return Outcome(kind="refused", detail=content["detail"])
    if REPLAYED in answer.headers:
        return Outcome(kind="repeat")
    states = [one["status"] for one in content["messages"]]
    noun = "message" if len(states) == 1 else "messages"
    failed = f", of which {states.count(FAILED)} failed" if FAILED in states else ""
    return Outcome(kind="sent", detail=f"{len(states)} {noun}{failed}")


@attrs.frozen(kw_only=True)
class _Repeats:
    """By what a call is known again."""

    body_mark: bytes
    """What all tries of a call have in common."""
    key: str | None
    """The Idempotency-Key under which its answer is kept with its messages. None: no call is a
    repeat of it."""
    id_key: str | None = None
    """Another one, by the id that the program gives it."""
    earlier: Sequence[tuple[str, int]] = ()
    """Other keys under which the answer to an earlier try may be kept, each with the time since
    which that counts (ms)."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of a request that is sent once."""
        return {} if self.key is None else {"idempotency-key": self.key}

    @classmethod
    def of(cls, hook: Hook, headers: Mapping[str, str], body: bytes, now: int) -> "_Repeats":
        """Finds out by what a call of a hook is known again, at this time (ms)."""
        # With another mapping it is another call.
        mapped = json.dumps(attrs.asdict(hook.mapping)).encode()
        mark = hashlib.sha256(hashlib.sha256(mapped).digest() + body).digest()
        given = headers.get(WEBHOOK_ID, "")
        id_key = f"id {_digest(given)}" if given else None
        span = hook.mapping.repeat_s * 1000
        if not span:
            return cls(body_mark=mark, key=id_key)
        # The answer is kept under a key of the time, so that a lookup finds it: that of the span
        # in which the first call came, which is this one or the one before.
        key, before = (f"body {mark.hex()} {now // span - past}" for past in (0, 1))
        earlier = [(before, now - span), *([] if id_key is None else [(id_key, 0)])]
        return cls(body_mark=mark, key=key, id_key=id_key, earlier=earlier)


def _found(mapping: HookMapping, body: bytes, headers: Mapping[str, str]) -> Found | NotWanted:
    return read_mapping(mapping).apply(read_posted(body, headers))


def read_posted(body: bytes, headers: Mapping[str, str]) -> Any:
    """Reads what a program has posted: JSON, or a form as an object of texts.

    A form of one field that holds a JSON object counts as that: some programs send JSON so.

    Args:
        body: As it came.
        headers: By lower-case name.

    Raises:
        UnsupportedMedia: It declares another form.
        BadInput: It can't be read.
    """
    content_type, encoding = headers.get("content-type"), headers.get("content-encoding")
    media = media_type(content_type, encoding)
    if media == MULTIPART or (media == FORM and not body.lstrip().startswith((b"{", b"["))):
        pairs = (
            multipart_pairs(body, content_type or "") if media == MULTIPART else form_pairs(body)
        )
        fields = dict(pairs)
        (only,) = fields.values() if len(fields) == 1 else ("",)
        return read_value(only.encode()) if only.lstrip().startswith("{") else fields
    check_media(content_type, encoding, body, ADVICE)
    return read_value(body, reported=True)


def _accepted(accepted: Sequence[Accepted]) -> Answer:
    messages = tuple(HookMessage(id=one.id, status=one.status) for one in accepted)
    answer = CalledAnswer(sent=True, messages=messages, reason=None)
    return Answer(content=CONVERTER.encode(answer))


def _again(kept: KeptAnswer) -> Answer:
    if kept.status == OPEN:
        raise Conflict("What became of the first call is still being found out. Ask again later.")
    return Answer(status=kept.status, content=kept.body, headers=(REPLAYED,))


def _worded(error: Refused, call: Call) -> Answer:
    return in_dialect(answer_for(error), DIALECT, call.request, ENDPOINT_NAME)


def _for_program(hook: Hook, answer: Answer) -> Answer:
    """Returns an answer in the form that the program of a hook reads."""
    if hook.mapping.answer == "supabase" and answer.status >= FIRST_ERROR:
        # GoTrue reads the body of a success alone, and has an error in it (hookserrors).
        return attrs.evolve(answer, status=200, headers=())
    return answer


def _path(hook: Hook) -> str:
    return f"/hooks/of/{hook.org_name}/{hook.id}"


def _route(hook: Hook) -> str:
    """Returns the route under which `send` keeps the answers to calls of a hook."""
    return f"dialect {_path(hook)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _refuse(refusal: Refusal) -> Worded:
    """Words an error so that each known program finds what it looks for."""
    content: dict[str, Any] = {
        "ok": False,
        "sent": False,
        "code": refusal.code,
        "detail": refusal.detail,
        "error": {"http_code": refusal.status, "message": refusal.detail},
    }
    if refusal.problems:
        content["errors"] = [
            {"field": one.field, "problem": one.problem} for one in refusal.problems
        ]
    return Worded(
        status=refusal.status,
        body=json.dumps(content | dict(refusal.limit)).encode(),
        media=JSON_MEDIA,
    )


ENDPOINT_NAME: Final = "call_hook"

DIALECT: Final = Dialect(
    name="hooks",
    title="Hooks",
    text="Secret URLs to which programs post JSON of their own, such as Alertmanager, Grafana, "
    "Supabase, Logto, ZITADEL and listmonk. A mapping finds numbers and text in it. Each hook has "
    "a URL of its own.",
    addresses=("/hooks/…",),
    login=Login(basic=False),
    refuse=_refuse,
    bases=("/hooks",),
)

ENDPOINTS: Final = (
    Endpoint(
        name=ENDPOINT_NAME,
        method="POST",
        paths=(CALLED,),
        scope=None,
        knows_caller=True,
        group=f"dialect: {DIALECT.name}",
        dialect=DIALECT,
        summary="Have what a program posts sent as SMS",
        description="The secret URL of a hook, which finds numbers and text in any JSON by its "
        "mapping. It needs no other credential, but a hook may check the program's own signature. "
        "The same body within some seconds is a repeat and sends nothing, and so is the same "
        "webhook-id within a day.",
        raw_limit=MAX_CALL_BYTES,
        answer=CalledAnswer,
        error_codes=("unauthorized", "not_found", "gone", "conflict", *LIMIT_CODES),
        listed=False,
        handler=take,
    ),
)
