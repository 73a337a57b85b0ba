"""What the tool that fuzzes the gateway by its own document is told of the contract.

It is loaded by Schemathesis, in a process of its own (`SCHEMATHESIS_HOOKS`).
"""

import itertools
import json
import re
from typing import Any

import requests
import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi.checks import positive_data_acceptance

from phonegate.api.openapi.operations import IDEMPOTENCY_KEY

BEYOND_SCHEMAS = (
    # No schema knows what time it is.
    (r"(messages\[\d+\]\.)?send_at", r"is more than a year \(365 days\) ahead"),
    # Nor what a date is, where a pattern says how one is written: 2031-02-30.
    (r"(messages\[\d+\]\.)?send_at", "is no date of the calendar"),
    # Printable is a property of Unicode that no portable regular expression can ask for.
    (r"name", r"must be [01] to 100 printable characters"),
    # So are letters and digits, and a search needs one of them.
    (r"q", "has no letter and no digit, and only words are searched for"),
    # How long a text may be is for its org to choose, and how many segments it has for GSM to say.
    (
        r"(messages\[\d+\]\.)?body",
        r"(has \d+ characters|takes \d+ segments), at most \d+ are allowed",
    ),
    # Which countries there are is for ISO 3166 to say.
    (r"default_country", r"must be .+ as ISO 3166 has it|must be a country in the two letters .+"),
    # A URL's port may be out of range, or its host be brackets around nothing.
    (r"media_urls\[\d+\]", "has a host or port that can't be"),
    # What else depends on the assistant as it is: its provider, and so its credentials.
    (r"provider", "can't be changed; add another assistant instead"),
    (r"credentials(\.\w+)?", r".*"),
    # An API key names its org; a SecretKey needs it said.
    (r"org_id", "is required"),
    # A key with limits can't be given what would let it lift them.
    (r"scopes", "can't hold manage for a key with limits"),
    # Entries of a list may be told apart by one of their fields alone.
    (r"sims\[\d+\]\.(slot|number)", "is given twice"),
    # Which phones there are is the org's to know.
    (r"phone", "is none of this org's phones"),
    # A host is a name or an address, each with rules of its own.
    (r"url", r"(has a host|must hold no blank|holds an address that is written oddly).*"),
    # Of headers some names are the call's own, and letter case tells no two of them apart.
    (r"headers\.[^ ]+", "(is set by the gateway itself|stands there twice)"),
    # Not every event is of a message.
    (r"address|sim", "is of messages alone, and events names none of theirs"),
    (r"events", r"names none of messages.*, and shape (twilio|smsgate) has no other"),
    # Paths, templates and conditions are languages of their own, and a sample has what it has.
    (r"mapping\.\w+(\[\d+\])?", r".*"),
    # Which header is needed, and what a secret is like, depends on the kind.
    (r"verification\.\w+", r".*"),
    # Which API keys there are is the org's to know.
    (r"key", "is none of this org's API keys with the scope send"),
    # Which zones there are is the machine's to know.
    (r"limits\.quiet_hours\.zone", "must be the name of a time zone, such as Europe/Berlin"),
)
"""Fields and problems that a request valid by its schema may still have, as patterns."""

WEBHOOK_HOST = re.compile(rb'("url": ?"[Hh][Tt][Tt][Pp][Ss]?://)[^\s/?#\\@"]{1,253}(?=[/?#"])')
"""A longer one is none."""

KEY, KEY_EXAMPLE = IDEMPOTENCY_KEY["name"], IDEMPOTENCY_KEY["example"]

_numbers = itertools.count(1)


def _send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
    """Makes each request one of its own.

    It has an address of its own, because who guesses wrong twice is throttled, and a key of its
    own: of all requests under the document's example of one only the first would be taken.
    """
    number = next(_numbers)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    request.headers["X-Forwarded-For"] = address
    if request.headers.get(KEY) == KEY_EXAMPLE:
        request.headers[KEY] = f"{KEY_EXAMPLE}-{number}"
    if isinstance(request.body, bytes) and "/webhooks/" in str(request.url):
        # What a made-up webhook is called with must reach no real host (RFC 6761, 6.4).
        request.body = WEBHOOK_HOST.sub(rb"\1nowhere.invalid", request.body)
        request.headers["Content-Length"] = str(len(request.body))
    return _sent(session, request, **options)


# The tool has no hook that its own probes of authentication pass.
_sent = requests.Session.send
requests.Session.send = _send  # type: ignore[assignment,method-assign]


LONG = 3_000
"""Characters. Longer texts take the tool minutes to write; how long one may be is tested where its
words are."""


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_load_schema(_: Any, raw_schema: dict[str, Any]) -> None:
    """Leaves the greatest lengths of long texts out of the document."""
    _shorten(raw_schema)


def _shorten(value: Any) -> None:
    if isinstance(value, dict):
        longest = value.get("maxLength")
        if isinstance(longest, int) and longest > LONG:
            del value["maxLength"]
        for inner in value.values():
            _shorten(inner)
    elif isinstance(value, list):
        for inner in value:
            _shorten(inner)


@schemathesis.check  # type: ignore[untyped-decorator]
def valid_data_is_accepted(context: Any, response: Any, case: Any) -> Any:
    """The tool's own check of that name, but for what no schema can say."""
    try:
        return positive_data_acceptance(context, response, case)
    except RejectedPositiveData:
        if not _is_beyond_schemas(response):
            raise
        return None


@schemathesis.check  # type: ignore[untyped-decorator]
def codes_are_documented(_: Any, response: Any, case: Any) -> None:
    """The code of an error is one of those that the document names for its status."""
    described = case.operation.definition.raw["responses"].get(str(response.status_code), {})
    if "x-error-codes" in described:
        code = json.loads(response.content)["code"]
        assert code in described["x-error-codes"], f"{code} is not documented"


def _is_beyond_schemas(response: Any) -> bool:
    problems = json.loads(response.content).get("errors", ())
    return bool(problems) and all(
        any(
            re.fullmatch(field, wrong["field"]) and re.fullmatch(problem, wrong["problem"])
            for field, problem in BEYOND_SCHEMAS
        )
        for wrong in problems
    )
