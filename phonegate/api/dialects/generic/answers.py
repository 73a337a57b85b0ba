"""The answers of the generic API, as JSON or as a line of text. Pure.

Programs look at the status alone, look for `OK` in the body, or read JSON: one answer is right for
all of them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from phonegate.api.dialects.generic.names import FORMAT, given_by_part
from phonegate.model.states import FAILED
from phonegate.typed_json.fields import field

_PLAIN_WORDS: Final = frozenset({"text", "plain", "txt", "text/plain"})
_JSON_WORDS: Final = frozenset({"json", "application/json"})


@attrs.frozen(kw_only=True)
class SmsResult:
    """What became of the SMS to one recipient."""

    id: int | None = field(
        "Its ticket: see it in /messages. Without one, none was stored.", example=7
    )
    to: str = field("The recipient.", example="+15553334444")
    status: str = field("queued, sending when a phone was given it, or failed.", example="queued")
    waiting_for: str | None = field(
        "approval: a person has to approve it before it leaves.", default=None, omit=True
    )
    error: str | None = field("Why it failed.", default=None, omit=True)


@attrs.frozen(kw_only=True)
class SmsAccepted:
    """What became of an SMS that was accepted, for at least one recipient."""

    ok: bool = field("Always true.", default=True, example=True)
    status: str = field("That of the first SMS which was accepted.", example="queued")
    id: int = field("Its ticket.", example=7)
    ids: tuple[int, ...] = field("The tickets of all, in the order of the recipients.", example=[7])
    results: tuple[SmsResult, ...] = field("One for each recipient, in order.")
    message: str = field("Always OK, for programs that look for it.", default="OK", example="OK")

    @classmethod
    def of(cls, results: Sequence[SmsResult]) -> "SmsAccepted":
        """Makes the answer. At least one of the results is not failed."""
        taken = [result for result in results if result.status != FAILED]
        ids = tuple(result.id for result in results if result.id is not None)
        return cls(
            status=taken[0].status,
            id=taken[0].id or ids[0],
            ids=ids,
            results=tuple(results),
        )


def wants_text(given: Mapping[str, Sequence[str]], headers: Mapping[str, str]) -> bool:
    """Tells whether a client looks for a line of text: it says so, or accepts it before all else.

    Args:
        given: The parameters of its request, by whatever names.
        headers: By lower-case name.
    """
    asked = given_by_part(given).get(FORMAT, ("",))[0].strip().lower()
    if asked in _PLAIN_WORDS or asked in _JSON_WORDS:
        return asked in _PLAIN_WORDS
    first = headers.get("accept", "").partition(",")[0].partition(";")[0]
    return first.strip().lower() == "text/plain"


def text_accepted(results: Sequence[SmsResult]) -> bytes:
    """Returns the line of accepted SMS, such as `OK; ID=7`, `OK; ID=7,8` or `OK; ID=7; FAILED=1`.

    The last is how many of the recipients get none.
    """
    ids = [str(result.id) for result in results if result.status != FAILED]
    failed = len(results) - len(ids)
    return f"OK; ID={','.join(ids)}{f'; FAILED={failed}' if failed else ''}".encode()


def text_refused(detail: str) -> bytes:
    """Returns the line of an error, such as `ERROR: to is required.`."""
    return f"ERROR: {detail}".encode("utf-8", "replace")


def reason_of(refused: bytes) -> str:
    """Returns the sentence of an error that `json_refused` wrote."""
    error: str = json.loads(refused)["error"]
    return error


def json_refused(
    code: str, detail: str, problems: Sequence[tuple[str, str]], extra: Mapping[str, Any]
) -> bytes:
    """Returns an error as JSON.

    Args:
        code: What programs know it by.
        detail: A sentence for people.
        problems: The wrong fields, each with what is wrong with it.
        extra: What this error has beside.
    """
    content = {"ok": False, "status": "failed", "error": detail, "code": code, **extra}
    if problems:
        content["errors"] = [{"field": name, "problem": problem} for name, problem in problems]
    return json.dumps(content).encode()
