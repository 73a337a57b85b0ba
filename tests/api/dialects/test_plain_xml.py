"""Plain values as XML."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects.plain_xml import plain_xml


def test_mappings_and_lists() -> None:
    value = {"data": [{"id": 1, "msg": "a < b & c"}, {"id": 2, "msg": None}], "error_string": ""}
    assert plain_xml("response", value) == (
        "<response><data><item><id>1</id><msg>a &lt; b &amp; c</msg></item>"
        "<item><id>2</id><msg/></item></data><error_string></error_string></response>"
    )


def test_quotes_stay() -> None:
    assert plain_xml("xml", 'it\'s "so"') == '<xml>it\'s "so"</xml>'


@given(st.text())
def test_every_text_can_be_read(text: str) -> None:
    ET.fromstring(plain_xml("xml", {"text": text}))
