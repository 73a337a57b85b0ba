"""Every setting, variable, error code and address that a document names exists."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from phonegate.api.table import build_table
from phonegate.cli import group
from phonegate.cli.command_tree import described
from phonegate.config import reader
from phonegate.config.client_environment import ASSISTANT
from phonegate.config.setting_texts import section_texts
from phonegate.http.refusals import CODES
from phonegate.pages.blueprint import PAGES
from phonegate.pages.console.screens import ROUTES
from tests.documents.written import TEXTS, Code, blocks, simple_commands, spans
from tests.test_links import ROOT

SETTINGS: Final = {one.name: {each.key for each in one.settings} for one in section_texts()}

VARIABLES: Final = {
    *(each.variable for one in section_texts() for each in one.settings),
    *(name for one in described(group).all() for each in one.options for name in each.variables),
    # What the files of compose ask for beside the settings.
    *(
        name
        for path in (ROOT / "compose.yaml", *(ROOT / "deploy").rglob("*.yaml"))
        for name in re.findall(r"\$\{(PHONEGATE_\w+)", path.read_text())
    ),
    # What a container engine sets for a service of this name; what the shells' completion reads.
    *("PHONEGATE_PORT", "_PHONEGATE_COMPLETE"),
}


def names(pattern: str) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in TEXTS:
        for found in re.finditer(pattern, (ROOT / path).read_text()):
            yield path, found


def test_every_variable_is_one() -> None:
    found = [(str(path), one[0]) for path, one in names(r"\b_?PHONEGATE_[A-Z_]+\b(?![<*…])")]
    assert len(found) > 100
    beginnings = {"PHONEGATE_", "PHONEGATE_SERVICE_", ASSISTANT}
    wrong = [one for one in found if one[1] not in VARIABLES | beginnings]
    assert [one for one in wrong if not one[1].startswith(ASSISTANT)] == []


def test_every_setting_is_one() -> None:
    found = [
        (code.place, *one.groups())
        for code in spans()
        if (one := re.match(r"\[([a-z_]+)\](?: ([a-z_]+))?", code.text)) is not None
        and one[1] not in OTHERS
    ]
    assert len(found) > 100
    wrong = [
        (place, section, key)
        for place, section, key in found
        if section not in SETTINGS or (key is not None and key not in SETTINGS[section])
    ]
    assert wrong == []


OTHERS: Final = {"org_content"}
"""What stands in square brackets in the templates of other programs."""


def test_every_file_of_settings_is_taken(tmp_path: Path) -> None:
    written = [code for code in blocks() if code.language == "toml"]
    assert len(written) > 10
    for code in written:
        path = tmp_path / "gateway.toml"
        path.write_text(code.text)
        try:
            reader.load(path, {})
        except reader.ConfigError as error:
            pytest.fail(f"{code.place}: {error}")


def test_every_code_of_an_error_is_one() -> None:
    found = [(str(path), one[1], one[2]) for path, one in names(r"\b([45]\d\d) `([a-z_]+)`")]
    assert len(found) > 10
    known = {(str(code.status), name) for name, code in CODES.items()}
    assert [one for one in found if one[1:] not in known] == []


KNOWN: Final = {
    *((one.method, path) for one in build_table().endpoints for path in one.paths),
    *((method, f"/console{one.path}") for one in ROUTES for method in one.methods),
    *(("GET", path) for path in PAGES),
    # The phone link; what the console has beside its screens; what the stand-in's listener has.
    *(
        ("GET", path)
        for path in ("/websocket", "/openapi.json", "/console/sign-in", "/console/live", "/ca.crt")
    ),
    # The operator's.
    *(("GET", path) for path in ("/metrics", "/ready", "/orgs")),
}
"""All addresses, by the methods that they take."""


def segments(path: str) -> list[str]:
    return [part for part in path.partition("?")[0].split("/") if part]


def means(written: list[str], path: str) -> bool:
    """Whether a path in a document, or what it leaves out of its beginning or end, is this one."""
    parts = segments(path)
    return any(
        len(piece) == len(written)
        and all(
            one == other or (re.search(r"[{<]", other) and (one[0] == "{" or exact))
            for one, other in zip(written, piece, strict=True)
        )
        for piece, exact in (
            (parts, True),
            (parts[: len(written)], False),
            (parts[-len(written) :], False),
        )
    )


def known(method: str, path: str, *, whole: bool) -> bool:
    """Whether there is an address, or one that a sentence shortens so."""
    written = segments(path)
    if whole:
        found = any(
            name == method and len(segments(one)) == len(written) and means(written, one)
            for name, one in KNOWN
        )
        return found or (method, path.partition("?")[0]) in KNOWN
    return any(name == method and means(written, one) for name, one in KNOWN)


SPOKEN: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD) (?:…)?(/\S*)")


def test_every_address_that_a_sentence_names_is_there() -> None:
    found = [
        (code.place, *one.groups())
        for code in spans()
        if (one := SPOKEN.fullmatch(code.text)) is not None
    ]
    assert len(found) > 100
    assert [one for one in found if not known(one[1], one[2], whole=False)] == []


OURS: Final = re.compile(
    r"(?:https?://(?:localhost|127\.0\.0\.1|sms\.example\.org|HOST|gateway)(?::8080)?|\$gateway)(/.*)"
)
"""An address of the gateway, by the names that the documents give it."""


def calls(code: Code) -> Iterator[tuple[str, str]]:
    """The methods and paths that the curls of a block ask the gateway for."""
    for words in simple_commands(code.text):
        if "curl" not in words:
            continue
        sends = any(re.match(r"-d|--data|-F|--form", word) for word in words)
        method = "POST" if sends and "-G" not in words else "GET"
        for name, value in pairwise(words):
            method = value if name in {"-X", "--request"} else method
        yield from ((method, one[1]) for word in words if (one := OURS.fullmatch(word)))


def test_every_address_that_a_curl_asks_for_is_there() -> None:
    found = [
        (code.place, *call)
        for code in blocks()
        if code.language in {"sh", "bash"}
        for call in calls(code)
    ]
    assert len(found) > 15
    assert [one for one in found if not known(one[1], one[2], whole=True)] == []


@pytest.mark.parametrize(
    ("method", "path", "whole", "there"),
    [
        ("GET", "/messages/{org}", False, True),
        ("GET", "/messages", False, True),
        ("POST", "/deliveries/{n}/replay", False, True),
        ("POST", "/Messages.json", False, True),
        ("GET", "/mesages", False, False),
        ("PUT", "/messages", False, False),
        ("GET", "/messages/myorg?since_id=1", True, True),
        ("DELETE", "/phones", True, False),
        ("GET", "/nothing/myorg", True, False),
        ("POST", "/send/myorg", True, True),
    ],
)
def test_an_address_that_is_not_there_is_found(
    method: str, path: str, *, whole: bool, there: bool
) -> None:
    assert known(method, path, whole=whole) is there


def test_the_curls_of_a_block_are_found() -> None:
    text = 'curl "http://localhost:8080/a" -d b\nx=$(curl -X PUT $gateway/c | jq .)\n'
    code = Code(path=Path("x.md"), line=1, language="sh", text=text)
    assert list(calls(code)) == [("POST", "/a"), ("PUT", "/c")]
