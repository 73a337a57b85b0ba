"""Commands mean what the table says, whatever a shell makes of them."""

import json
import shlex

from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.endpoint import Example
from phonegate.api.table import build_table
from phonegate.pages.commands import command

ENDPOINTS = {endpoint.name: endpoint for endpoint in build_table().endpoints}
TEXT = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f$", exclude_categories=["Cs"])
)


@given(TEXT, TEXT, st.sampled_from(["http://h:1", "http://[::1]:8080", "https://h"]))
def test_a_shell_reads_the_words_that_the_example_has(header: str, body: str, base: str) -> None:
    example = Example(
        title="t",
        path="/send/myorg?a=1&b=2",
        headers=(("X-One", header),),
        body=json.dumps(body),
        answer="{}",
    )
    made = command(ENDPOINTS["send_sms"], example, base)
    # What a shell does with a line that goes on, and shlex does not.
    line = made.text.replace(" \\\n  ", " ")
    assert shlex.split(line) == [
        *("curl", "-X", "POST", base + example.path),
        *("-H", f"X-One: {header}"),
        *("-d", json.dumps(body)),
    ]


def test_a_variable_is_left_to_the_shell_and_a_plain_address_bare() -> None:
    example = Example(
        title="t", path="/sims/myorg", headers=(("Authorization", "Bearer $KEY"),), answer="{}"
    )
    made = command(ENDPOINTS["list_sims"], example, "http://h:8080")
    assert made.text == 'curl http://h:8080/sims/myorg \\\n  -H "Authorization: Bearer $KEY"'
