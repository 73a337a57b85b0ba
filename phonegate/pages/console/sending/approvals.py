"""The screen of approvals: messages that wait for a person's word, who asked, and the decision."""

from collections.abc import Sequence
from typing import Any, Final

from quart import Response

from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.refusals import BadInput, Conflict, NotFound
from phonegate.pages.console.conversations.conversation_path import conversation
from phonegate.pages.console.visit import Route, Visit

PER_PAGE: Final = 50
"""Messages of a page."""

COUNTED: Final = 100
"""Messages that the menu counts: beyond that it says that there are more."""

WORDS: Final = {
    "approve": ("approve_message", "approved", "leaves", "leave"),
    "refuse": ("refuse_message", "refused", "is cancelled", "are cancelled"),
}
"""What can be decided: the endpoint that does it, and what is said of it."""


async def show(visit: Visit) -> Response:
    """Shows the messages that wait, the oldest ones first."""
    since = visit.query.get("since") or 0
    found = await _waiting(visit, since, PER_PAGE + 1)
    messages = found[:PER_PAGE]
    addresses = list(dict.fromkeys(message["address"] for message in messages))
    keys = await visit.call("list_keys")
    context: dict[str, Any] = {
        "messages": messages,
        "names": await visit.services.contacts.names_of(visit.principal, addresses),
        "keys": {key["id"]: key["name"] for key in keys["keys"]},
        "conversation_url": lambda address: visit.url(conversation(address)),
        "since": since,
        "following": messages[-1]["id"] if len(found) > PER_PAGE else None,
    }
    if visit.by_script:
        return await visit.part("console/parts/approval_list.html", **context)
    return await visit.page("console/approvals.html", **context)


async def count(visit: Visit) -> Response:
    """Tells a script how many wait, and which, so that it hears of no others."""
    ids = [message["id"] for message in await _waiting(visit, 0, COUNTED)]
    return visit.answer({"waiting": len(ids), "most": COUNTED, "ids": ids})


async def decide(visit: Visit) -> Response:
    """Approves or refuses one message, or all that are ticked."""
    form = await visit.form()
    for word in WORDS:
        if word in form:
            return await _decide(visit, word, [form[word]])
    word = form.get("do", "")
    if word not in WORDS:
        raise BadInput("Choose whether to approve or to refuse.")
    return await _decide(visit, word, form.getlist("id")[:MAX_MESSAGES])


async def _decide(visit: Visit, word: str, ids: Sequence[str]) -> Response:
    done = late = 0
    for id_ in dict.fromkeys(ids):
        try:
            await visit.call(WORDS[word][0], path={"id": id_})
        except (Conflict, NotFound):
            # Another person was faster, or its time ran out.
            late += 1
        else:
            done += 1
    return visit.go("/approvals", said=decided_words(word, done, late))


def decided_words(word: str, done: int, late: int) -> str:
    """Returns what became of a decision. Pure."""
    if not done and not late:
        return "No message was ticked."
    _, participle, one, many = WORDS[word]
    said = []
    if done:
        said.append(
            f"1 message {participle}: it {one}."
            if done == 1
            else f"{done} messages {participle}: they {many}."
        )
    if late:
        said.append(
            f"{late} {'was' if late == 1 else 'were'} decided already, or waited no longer."
        )
    return " ".join(said)


async def _waiting(visit: Visit, since: object, limit: int) -> Sequence[dict[str, Any]]:
    query = {"waiting_for": "approval", "since_id": since, "limit": limit}
    found: Sequence[dict[str, Any]] = (await visit.call("get_messages", query=query))["messages"]
    return found


ROUTES: Final = (
    Route(path="/approvals", scope="manage", view=show),
    Route(path="/approvals", methods=("POST",), scope="manage", view=decide),
    Route(path="/approvals/count", scope="manage", view=count),
)
