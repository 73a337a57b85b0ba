"""The sentences of the pages cover all that the code has, and nothing that it has not."""

import pytest
from markupsafe import escape

from phonegate.api.messages_types import MessagesQuery, Send
from phonegate.api.table import build_table
from phonegate.http.refusals import CODES
from phonegate.model.bounds import MAX_CHARACTERS, MAX_MESSAGES, MAX_PAGE
from phonegate.model.refusals import Busy
from phonegate.model.states import (
    DELIVERED,
    FAILED,
    FINAL_STATES,
    STATES,
    Cause,
    advance,
)
from phonegate.pages import page_context
from phonegate.pages.examples import MORE
from phonegate.pages.highlight import marked
from phonegate.typed_json.fields import fields_of
from tests.api.conftest import Web

TABLE = build_table(dialects=())


def test_every_state_has_its_sentences() -> None:
    told = {state.name: state for state in page_context.states()}
    assert list(told) == list(STATES)
    assert {name for name, state in told.items() if state.final} == {*FINAL_STATES, "received"}


def test_what_is_final_says_what_changes_it_after_all() -> None:
    told = {state.name: state.finality for state in page_context.states()}
    for name in STATES:
        ends = name in FINAL_STATES or name == "received"
        assert told[name].startswith("final") is ends
    assert advance(FAILED, Cause.DELIVERED) == DELIVERED
    assert "unless a delivery" in told[FAILED]


@pytest.mark.parametrize("page", ["/reference", "/llms.txt"])
async def test_every_code_is_told_with_its_status(web: Web, page: str) -> None:
    text = (await web.call("GET", page, secret=None)).data.decode()
    for name, code in CODES.items():
        start = (
            f"<div><dt>{code.status}</dt><dd><code>{name}</code> "
            if page == "/reference"
            else (f"- {code.status} `{name}`: ")
        )
        shown = code.sentence
        assert start + (str(marked(shown)) if page == "/reference" else shown) in text
        assert (str(escape(code.advice)) if page == "/reference" else code.advice) in text


def test_nothing_is_promised_of_a_call_that_did_not_finish() -> None:
    assert "usually nothing was kept" in CODES["storage_unavailable"].meaning
    busy = CODES[Busy.code]
    assert "unknown what was kept" in busy.advice
    assert "kept" not in busy.meaning
    for code in (busy, CODES["storage_unavailable"]):
        assert "the same Idempotency-Key" in code.advice


def test_every_group_of_endpoints_is_listed_but_the_carriers_own() -> None:
    listed = {endpoint.group for endpoint in TABLE.endpoints if endpoint.listed}
    assert listed - {"callbacks"} == set(page_context.GROUPS)
    named = {endpoint.name for endpoint in TABLE.endpoints}
    assert set(MORE) <= named


@pytest.mark.parametrize("kind", [Send, MessagesQuery])
def test_limits_are_those_of_the_rules(kind: type) -> None:
    limits = {p.name: p.limits for p in page_context.parameters(kind)}
    assert set(limits) == {f.name for f in fields_of(kind)} - {"secret_key", "org_id"}
    expected = {
        Send: {
            "body": f"1 to {MAX_CHARACTERS} characters",
            "messages": f"1 to {MAX_MESSAGES} of them",
            "on_uncertain": "one of hold, resend",
            "to": "",
        },
        MessagesQuery: {
            "limit": f"1 to {MAX_PAGE}; 100 without",
            "since_id": "from 0",
            "direction": "one of in, out",
        },
    }[kind]
    assert limits | expected == limits
