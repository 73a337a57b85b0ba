"""Ready-made mappings: each finds in its sample what a person would."""

import pytest

from phonegate.domain.hooks.mapping import Found, NotWanted, read_mapping
from phonegate.domain.hooks.ready_mappings import (
    ANY_RECIPIENT,
    READY_BY_NAME,
    READY_MAPPINGS,
    ReadyMapping,
)
from phonegate.domain.hooks.verification import require_verification
from phonegate.domain.segmentation import count
from phonegate.model.hooks import Verification

TEXTS = {
    "alertmanager": "FIRING: HighLatency\nRequests to api-1 take more than 2 s\n"
    "(resolved) HighLatency on api-2:9090",
    "grafana": "[FIRING:1]  (High memory usage blue)\nMemory of zone eu-1 is at 93 %",
    "uptime_kuma": "[Shop] [🔴 Down] connect ECONNREFUSED 192.0.2.7:443",
    "github": "octo/hello: Build failed on main\n"
    "https://github.com/octo/hello/actions/runs/30433642",
    "supabase": "Your code is 561166",
    "logto": "Your code to sign in is 123456",
    "zitadel": "Your code is RZ4B9Q. It is valid for 5 minutes.",
    "authgear": "Your verification code is: 123456",
    "listmonk": "Hello Anna,\nwe are closed on Friday & Saturday.",
    "json": "Your table is ready",
}


def found(name: str, **changes: object) -> Found | NotWanted:
    ready = READY_BY_NAME[name]
    return read_mapping(ready.mapping).apply(ready.sample | changes)


def test_every_one_has_a_text_here() -> None:
    assert {one.name for one in READY_MAPPINGS} == set(TEXTS)


@pytest.mark.parametrize("ready", READY_MAPPINGS, ids=lambda one: one.name)
def test_each_finds_number_and_text_in_its_sample(ready: ReadyMapping) -> None:
    result = read_mapping(ready.mapping).apply(ready.sample)
    assert isinstance(result, Found)
    assert result.to == ("+15553334444",)
    assert result.text == TEXTS[ready.name]
    assert ready.needs_recipient == (ready.mapping.to == (ANY_RECIPIENT,))


@pytest.mark.parametrize("ready", READY_MAPPINGS, ids=lambda one: one.name)
def test_each_has_a_verification_that_can_be_made(ready: ReadyMapping) -> None:
    if ready.verification is None:
        return
    require_verification(
        Verification(
            kind=ready.verification,
            secret="dXNlcjpw" if ready.verification == "standard" else "user:password",
            header=ready.header,
            timestamp_header=ready.timestamp_header,
        )
    )


def test_a_resolved_group_says_so_once() -> None:
    alerts = [{"status": "resolved", "labels": {"alertname": "A"}, "annotations": {}}]
    result = found("alertmanager", status="resolved", commonLabels={}, alerts=alerts)
    assert isinstance(result, Found)
    assert result.text == "RESOLVED: several alerts\nA"


def test_alerts_that_were_left_out_are_counted() -> None:
    result = found("alertmanager", truncatedAlerts=7)
    assert isinstance(result, Found)
    assert result.text.endswith("\nand 7 more")


def test_a_flood_of_alerts_fits_three_sms() -> None:
    one = {"status": "firing", "labels": {"alertname": "X"}, "annotations": {"summary": "s" * 90}}
    result = found("alertmanager", alerts=[one] * 500)
    assert isinstance(result, Found)
    assert count(result.text) == 3


@pytest.mark.parametrize(
    ("type_", "payload", "text"),
    [
        ("Register", {"code": "1"}, "Your code to register is 1"),
        ("ForgotPassword", {"code": "1"}, "Your code to reset your password is 1"),
        ("OrganizationInvitation", {"link": "https://x"}, "You are invited: https://x"),
        ("Generic", {"code": "1"}, "Your code is 1"),
        ("MfaVerification", {"code": "1"}, "Your code is 1"),
    ],
)
def test_logto_says_what_its_code_is_for(type_: str, payload: dict[str, str], text: str) -> None:
    result = found("logto", type=type_, payload=payload)
    assert isinstance(result, Found)
    assert result.text == text


def test_github_is_heard_of_failures_alone() -> None:
    result = found("github", workflow_run={"conclusion": "success"})
    assert isinstance(result, NotWanted)
