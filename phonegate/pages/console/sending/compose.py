"""The screens that write to one or many: the form, its preview, and sending."""

from typing import Final

from quart import Response
from werkzeug.datastructures import MultiDict

from phonegate.api.messages_types import MAX_AHEAD_MS, TOO_FAR_AHEAD
from phonegate.api.rules import Moment
from phonegate.domain.batch_drafts import BatchForm
from phonegate.domain.batch_plan import Draft
from phonegate.domain.line_problems import MOST_SHOWN, LineProblem
from phonegate.domain.written_tables import MAX_CHARS, TOO_LARGE, decoded
from phonegate.model.refusals import BadInput, FieldProblem, Refused
from phonegate.pages.console.default_country import chosen_country
from phonegate.pages.console.local_moment import moment
from phonegate.pages.console.sending import senders
from phonegate.pages.console.sending.batch_preview import preview
from phonegate.pages.console.sending.batch_sending import send_step
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.whole_numbers import whole
from phonegate.typed_json.fields import Wrong

SHOWN: Final = 50
"""Messages on one page of a preview."""

TTLS: Final = (
    ("", "as long as it takes"),
    ("3600", "an hour"),
    ("21600", "six hours"),
    ("86400", "a day"),
    ("259200", "three days"),
    ("604800", "a week"),
)
PRIORITIES: Final = (("0", "in their turn"), ("50", "before others"), ("-50", "after others"))

_FIELDS: Final = (
    "to",
    "table",
    "text",
    "sender",
    "send_at",
    "offset",
    "ttl",
    "priority",
    "country",
)


async def show(visit: Visit) -> Response:
    """Shows the form: empty, for a recipient, from a template, or that of a draft."""
    held = {name: visit.query.get(name, "") for name in ("to", "text", "sender")}
    if token := visit.query.get("draft"):
        held = _held((await visit.services.batches.find(visit.principal, token)).form)
    elif wanted := visit.query.get("template"):
        templates = await visit.services.templates.of_org(visit.principal)
        held["text"] = next((one.body for one in templates if str(one.id) == wanted), "")
    return await _form_page(visit, held)


async def take(visit: Visit) -> Response:
    """Keeps what was written as a draft, and leads to its preview."""
    sent = await visit.form()
    try:
        form = await _read(visit, sent)
    except BadInput as refused:
        held = {name: sent.get(name, "") for name in _FIELDS}
        return await _form_page(visit, held, refused)
    if sent.get("insert"):
        held = {name: sent.get(name, "") for name in _FIELDS} | {"table": form.draft.table}
        return await _insert(visit, held, sent.get("template", ""))
    token = await visit.services.batches.save(visit.principal, form)
    return visit.go("/compose", token)


async def _insert(visit: Visit, held: dict[str, str], wanted: str) -> Response:
    """Shows the form with the text of a template at its end."""
    templates = await visit.services.templates.of_org(visit.principal)
    body = next((one.body for one in templates if str(one.id) == wanted), "")
    text = held["text"]
    held["text"] = f"{text}{'' if not text or text[-1].isspace() else ' '}{body}"
    return await _form_page(visit, held)


async def check(visit: Visit) -> Response:
    """Shows each message of a draft as it would leave, what it costs, and what is wrong."""
    return await _preview_page(visit)


async def send(visit: Visit) -> Response:
    """Sends a draft, as it was shown. To send it twice sends it once."""
    token, sent = visit.path["token"], await visit.form()
    batches, principal = visit.services.batches, visit.principal
    batch = await batches.find(principal, token)
    if batch.begun_at is None:
        repeats = sent.get("repeats") == "keep"
        shown = await preview(visit, batch.form, repeats=repeats)
        if not shown.chosen or str(len(shown.chosen)) != sent.get("count"):
            changed = "What would be sent has changed. Look at it again."
            return await _preview_page(visit, repeats=repeats, problem=changed)
        await batches.begin(principal, token, [(one.to, one.body) for one in shown.chosen])
    try:
        await send_step(visit, token)
    except Refused as refused:
        return visit.go("/batches", token, said=refused.detail)
    return visit.go("/batches", token)


async def _preview_page(
    visit: Visit, *, repeats: bool | None = None, problem: str = ""
) -> Response:
    token = visit.path["token"]
    batch = await visit.services.batches.find(visit.principal, token)
    if batch.begun_at is not None:
        return visit.go("/batches", token)
    if repeats is None:
        repeats = visit.query.get("repeats") == "keep"
    shown = await preview(visit, batch.form, repeats=repeats)
    begin = min(whole(visit.query.get("from")) or 0, max(0, len(shown.chosen) - 1))
    return await visit.page(
        "console/preview.html",
        status=409 if problem else 200,
        token=token,
        form=batch.form,
        shown=shown,
        problem=problem,
        begin=begin,
        page=shown.chosen[begin : begin + SHOWN],
        more=begin + SHOWN if begin + SHOWN < len(shown.chosen) else None,
        problems=shown.plan.problems[:MOST_SHOWN],
        sender=await _sender_label(visit, batch.form.sender),
    )


async def _form_page(
    visit: Visit, held: dict[str, str], refused: BadInput | None = None
) -> Response:
    problems = {} if refused is None else {one.field: one.problem for one in refused.problems}
    return await visit.page(
        "console/compose.html",
        status=200 if refused is None else 422,
        held={name: held.get(name, "") for name in _FIELDS},
        chosen_time=(whole(held.get("send_at_s"), 10) or 0) * 1000 or None,
        problems=problems,
        choices=await _choices(visit),
        templates=await visit.services.templates.of_org(visit.principal),
        ttls=TTLS,
        priorities=PRIORITIES,
        default_country=visit.services.org_options.of(visit.principal.org).default_country,
    )


async def _choices(visit: Visit) -> list[tuple[str, str]]:
    found = await senders.senders(visit) if visit.may("read") else ()
    first = (senders.ANY, "Any SIM of a phone that is online")
    return [first, *((one.value, one.label) for one in found)]


async def _sender_label(visit: Visit, value: str) -> str:
    return next((label for one, label in await _choices(visit) if one == value), value)


async def _read(visit: Visit, sent: MultiDict[str, str]) -> BatchForm:
    """Reads the form as it was sent.

    Raises:
        BadInput: A field is wrong.
    """
    problems: list[FieldProblem] = []
    country = chosen_country(visit, sent.get("country", ""), problems)
    table = _newlines(sent.get("table", ""))
    chosen = (await visit.files()).get("file")
    if chosen is not None and (data := chosen.read()):
        text = decoded(data)
        if isinstance(text, LineProblem):
            problems.append(FieldProblem("table", text.problem))
        else:
            table = text
    if len(table) > MAX_CHARS:
        problems.append(FieldProblem("table", TOO_LARGE))
    send_at = _send_at(visit, sent, problems)
    if problems:
        raise BadInput("The form is not right yet.", problems)
    return BatchForm(
        draft=Draft(
            to=_newlines(sent.get("to", "")),
            table=table,
            text=_newlines(sent.get("text", "")),
            country=country,
        ),
        sender=sent.get("sender", senders.ANY),
        send_at=send_at,
        ttl_s=whole(sent.get("ttl"), 10) or None,
        priority=next((int(one) for one, _ in PRIORITIES if one == sent.get("priority")), 0),
    )


def _send_at(visit: Visit, sent: MultiDict[str, str], problems: list[FieldProblem]) -> int | None:
    text = moment(sent.get("send_at", ""), sent.get("offset", ""))
    if text is None:
        return None
    try:
        time = Moment().read(text)
    except Wrong as wrong:
        problems.append(FieldProblem("send_at", str(wrong)))
        return None
    if time > visit.services.now_ms() + MAX_AHEAD_MS:
        problems.append(FieldProblem("send_at", TOO_FAR_AHEAD))
    return time


def _held(form: BatchForm) -> dict[str, str]:
    """Returns what the fields hold of a draft. A time must be chosen again, since its zone went."""
    return {
        "to": form.draft.to,
        "table": form.draft.table,
        "text": form.draft.text,
        "country": form.draft.country or "",
        "sender": form.sender,
        "ttl": "" if form.ttl_s is None else str(form.ttl_s),
        "priority": str(form.priority),
        "send_at_s": "" if form.send_at is None else str(form.send_at // 1000),
    }


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


ROUTES: Final = (
    Route(path="/compose", scope="send", view=show),
    Route(path="/compose", methods=("POST",), scope="send", view=take),
    Route(path="/compose/<token>", scope="send", view=check),
    Route(path="/compose/<token>", methods=("POST",), scope="send", view=send),
)
