"""The bill of materials: what is in it, and that programs which read such bills can."""

import json
from pathlib import Path
from typing import Any

import pytest

import phonegate
from release import sbom
from release.checksums import digest_of
from tests.release.conftest import ROOT

DIGEST = "ab" * 32
PINS = f"""\
# A comment.
anyio==4.16.0 \\
    --hash=sha256:{DIGEST} \\
    --hash=sha256:{"cd" * 32}
    # via httpx
httpx==0.28.1 \\
    --hash=sha256:{"ef" * 32}
    # via
    #   openai
    #   phonegate (pyproject.toml)
openai==1.0.post1 \\
    --hash=sha256:{"01" * 32}
    # via phonegate (pyproject.toml)
"""


def bill(**licences: list[dict[str, Any]]) -> Any:
    packages = sbom.packages(PINS)
    return json.loads(sbom.bill("1.2.0", packages, licences, digest=DIGEST, epoch=1_700_000_000))


def test_pins_are_read_with_their_digests_and_with_who_needs_them() -> None:
    anyio, httpx, openai = sbom.packages(PINS)
    assert (anyio.name, anyio.version, len(anyio.digests)) == ("anyio", "4.16.0", 2)
    assert anyio.needed_by == ["httpx"]
    assert httpx.needed_by == ["openai", "phonegate"]
    assert openai.version == "1.0.post1"


def test_the_bill_names_what_depends_on_what() -> None:
    needs = {each["ref"]: each["dependsOn"] for each in bill()["dependencies"]}
    assert needs["pkg:pypi/phonegate@1.2.0"] == [
        "pkg:pypi/httpx@0.28.1",
        "pkg:pypi/openai@1.0.post1",
    ]
    assert needs["pkg:pypi/httpx@0.28.1"] == ["pkg:pypi/anyio@4.16.0"]


def test_the_time_and_the_number_of_a_bill_are_those_of_its_zipapp() -> None:
    assert bill() == bill()
    assert bill()["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"
    assert bill()["metadata"]["component"]["hashes"][0]["content"] == DIGEST


@pytest.fixture
def made(zipapp: Path) -> str:
    """The bill that was built with the zipapp."""
    (path,) = zipapp.parent.glob("*.cdx.json")
    return path.read_text()


def test_the_bill_of_the_zipapp_is_valid(made: str) -> None:
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415 - for this test alone
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415 - reads grammars

    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made)
    assert error is None


def test_the_bill_has_every_package_of_the_zipapp_with_its_licence(made: str, zipapp: Path) -> None:
    document = json.loads(made)
    product = document["metadata"]["component"]
    assert (product["name"], product["version"]) == ("phonegate", phonegate.__version__)
    assert product["hashes"][0]["content"] == digest_of(zipapp)
    licences = {each["name"]: each["licenses"] for each in document["components"]}
    inside = set(sbom.licences(zipapp)) - {"phonegate"}
    assert {name.replace("_", "-") for name in licences} == inside
    assert [name for name, found in licences.items() if not found] == []
    reached = {ref for each in document["dependencies"] for ref in each["dependsOn"]}
    assert {each["bom-ref"] for each in document["components"]} == reached
    pins = (ROOT / "release" / "requirements.txt").read_text()
    assert len(document["components"]) == pins.count("==")
