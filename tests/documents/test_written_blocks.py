"""Every block of a document is read by what its readers have: shells, parsers, compilers.

Those that can be run are run by the tests of their pages. Here each is at least well formed.
"""

import ast
import configparser
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.documents.written import Code, blocks


def shell(code: Code) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=code.text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), code.place


def python(code: Code) -> None:
    # A piece of a function may await.
    compile(code.text, code.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def parsed_json(code: Code) -> None:
    json.loads(re.sub(r",\s*…", "", code.text))


def script(code: Code) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    check = [node, "--check", "--input-type=module", "-"]
    # As a module, or as the body of a function, which Node-RED's nodes are.
    errors = [
        done.stderr
        for text in (code.text, f"async function node(msg) {{\n{code.text}\n}}")
        if (done := subprocess.run(check, input=text, capture_output=True, text=True, check=False))
        and done.returncode
    ]
    assert len(errors) < 2, f"{code.place}: {errors[0]}"


def php(code: Code) -> None:
    program = shutil.which("php")
    if program is None:
        pytest.skip("php is not installed")
    text = code.text if code.text.startswith("<?php") else f"<?php\n{code.text}"
    done = subprocess.run([program, "-l"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{code.place}: {done.stdout}"


def ini(code: Code) -> None:
    # Units have keys twice.
    configparser.RawConfigParser(strict=False, allow_no_value=True).read_string(code.text)


READ: Final[Mapping[str, Callable[[Code], object]]] = {
    "sh": shell,
    "bash": shell,
    "python": python,
    "json": parsed_json,
    "yaml": lambda code: list(yaml.compose_all(code.text, yaml.SafeLoader)),
    "xml": lambda code: ET.fromstring(f"<some>{code.text}</some>"),
    "js": script,
    "php": php,
    "ini": ini,
}
"""What reads a block of each language."""

ELSEWHERE: Final = {
    "toml": "test_written_names.py has the gateway's own reader take it",
    "nginx": "tests/server/test_proxies.py starts nginx with it",
    "caddy": "tests/server/test_proxies.py starts Caddy with it",
    "text": "what is shown, or entered into a program that has no syntax to check",
    "go": "tests/end_to_end/test_samples.py compiles it",
    "html": "tests/end_to_end/test_events_in_a_page.py opens it in Chromium",
}
"""The languages whose blocks are read by another test, or have nothing to read."""


@pytest.mark.parametrize("language", READ)
def test_every_block_is_well_formed(language: str) -> None:
    for code in blocks():
        if code.language == language:
            try:
                READ[language](code)
            except (SyntaxError, ValueError, yaml.YAMLError, configparser.Error) as error:
                pytest.fail(f"{code.place}: {error}")


def test_every_block_says_what_it_is() -> None:
    unknown = [
        f"{code.place}: {code.language or 'no language'}"
        for code in blocks()
        if code.language not in READ.keys() | ELSEWHERE.keys()
    ]
    assert unknown == []
