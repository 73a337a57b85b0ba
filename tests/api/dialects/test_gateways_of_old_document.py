"""What docs/dialects.md says of SMSEagle, Jasmin, Kannel and playSMS."""

import re
from pathlib import Path

import pytest

from phonegate.api.table import build_table
from phonegate.typed_json.fields import fields_of

TEXT = (Path(__file__).parents[3] / "docs" / "dialects.md").read_text()
TITLES = {"smseagle": "SMSEagle", "jasmin": "Jasmin", "kannel": "Kannel", "playsms": "playSMS"}
TABLE = build_table()


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", TITLES)
def test_every_address_and_parameter_is_named(name: str) -> None:
    text = section(TITLES[name])
    endpoints = [e for e in TABLE.endpoints if e.dialect is not None and e.dialect.name == name]
    assert [e.paths[0] for e in endpoints if e.paths[0] not in text] == []
    parameters = {
        field.name.replace("_", "-") if name in {"jasmin", "kannel"} else field.name
        for endpoint in endpoints
        if endpoint.given is not None
        for field in fields_of(endpoint.given.type)
    }
    words = set(re.findall(r"[\w-]+", text))
    hidden = {"message-type", "message_type", "groupname", "method", "nofooter"}
    assert parameters - words - hidden == set()
