"""The targets of alarms, as they are configured."""

import pytest

from phonegate.domain.alarm_targets import (
    MOST_TARGETS,
    AppriseTarget,
    SmsTarget,
    WebhookTarget,
    host_of,
    names,
    parse_target,
    parse_targets,
)

TOKEN = "t0ps3cret"
BOT = f"tgram://{TOKEN}/{TOKEN}"
MAIL = f"mailto://a:{TOKEN}@x.org"


@pytest.mark.parametrize(
    ("text", "target", "name"),
    [
        (
            f"webhook:https://u:{TOKEN}@hooks.example.org:8443/{TOKEN}?auth={TOKEN}",
            WebhookTarget(url=f"https://u:{TOKEN}@hooks.example.org:8443/{TOKEN}?auth={TOKEN}"),
            "webhook hooks.example.org:8443",
        ),
        (
            "webhook:http://[::1]:9/x",
            WebhookTarget(url="http://[::1]:9/x"),
            "webhook [::1]:9",
        ),
        (
            "sms:club:+15551112222",
            SmsTarget(org="club", number="+15551112222"),
            "sms through club",
        ),
        (
            f"tgram://{TOKEN}/{TOKEN}",
            AppriseTarget(url=f"tgram://{TOKEN}/{TOKEN}"),
            "apprise tgram",
        ),
        (
            f"mailto://a:{TOKEN}@x.org",
            AppriseTarget(url=f"mailto://a:{TOKEN}@x.org"),
            "apprise mailto",
        ),
    ],
)
def test_a_target_is_read_and_shows_no_token(text: str, target: object, name: str) -> None:
    read = parse_target(text)
    assert read == target
    assert read.name == name
    assert TOKEN not in repr(read) + read.name
    assert "+1555" not in repr(read) + read.name


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "a target is webhook:URL"),
        (TOKEN, "a target is webhook:URL"),
        (f"webhook:{TOKEN}", "behind webhook: an address"),
        (f"webhook:ftp://{TOKEN}", "behind webhook: an address"),
        (f"webhook:http://x/{TOKEN} y", "behind webhook: an address"),
        ("webhook:http://x:99999/", "behind webhook: an address"),
        ("webhook:", "behind webhook: an address"),
        (f"https://x/{TOKEN}", "write webhook:https://"),
        ("sms:x:+15551112222", "an OrgId is needed"),
        ("sms:club", "a number such as"),
        ("sms:club:015551112222", "a number such as"),
        (f"://{TOKEN}", "a target is webhook:URL"),
    ],
)
def test_what_is_none_is_refused_without_quoting_it(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_target(text)
    assert problem in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_all_that_is_wrong_is_named_by_its_place() -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_targets(["webhook:http://a/", "x", "sms:club:1", "webhook:http://a/"])
    problem = str(caught.value)
    assert "target 2: " in problem
    assert "target 3: " in problem
    assert "stands there twice" in problem
    with pytest.raises(ValueError, match="at most 20"):
        parse_targets([f"webhook:http://a/{n}" for n in range(MOST_TARGETS + 1)])


def test_targets_of_one_kind_and_host_have_numbers() -> None:
    texts = ["webhook:http://a/1", "sms:club:+15551112222", "webhook:http://a/2"]
    assert names(parse_targets(texts)) == ["webhook a", "sms through club", "webhook a #2"]


def test_a_host_comes_without_user_and_path() -> None:
    assert host_of("http://u:p@Example.org:80/x?y#z") == "example.org:80"
