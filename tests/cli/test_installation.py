"""How a program was installed, by where its parts are."""

from pathlib import Path

import attrs
import pytest

from phonegate.cli import installation
from phonegate.cli.installation import Facts, recognise

SYSTEM = Facts(
    started=Path("/usr/local/bin/phonegate"),
    archive=False,
    python=Path("/usr/bin/python3"),
    prefix=Path("/usr"),
    own_environment=False,
    package=Path("/usr/local/lib/python3.11/dist-packages/phonegate"),
    container=False,
)


def environment(prefix: str) -> Facts:
    return attrs.evolve(
        SYSTEM,
        python=Path(prefix, "bin/python"),
        prefix=Path(prefix),
        own_environment=True,
        package=Path(prefix, "lib/python3.11/site-packages/phonegate"),
    )


@pytest.mark.parametrize(
    ("facts", "way", "program"),
    [
        (SYSTEM, "python", ("/usr/bin/python3", "-m", "phonegate")),
        (
            attrs.evolve(SYSTEM, started=Path("/srv/gateway.pyz"), archive=True),
            "zipapp",
            ("/usr/bin/python3", "/srv/gateway.pyz"),
        ),
        (
            attrs.evolve(SYSTEM, package=Path("/usr/lib/phonegate/phonegate")),
            "deb",
            ("/usr/bin/phonegate",),
        ),
        (environment("/opt/x"), "venv", ("/opt/x/bin/phonegate",)),
        (
            environment("/root/.local/share/pipx/venvs/phonegate"),
            "pipx",
            ("/root/.local/share/pipx/venvs/phonegate/bin/phonegate",),
        ),
        (
            environment("/home/a/.local/share/uv/tools/phonegate"),
            "uv",
            ("/home/a/.local/share/uv/tools/phonegate/bin/phonegate",),
        ),
        (
            attrs.evolve(environment("/opt/phonegate"), container=True),
            "container",
            ("/opt/phonegate/bin/phonegate",),
        ),
        # Of an image that another person has made.
        (
            attrs.evolve(environment("/venv"), container=True),
            "venv",
            ("/venv/bin/phonegate",),
        ),
        # A zipapp in a container is upgraded as any other.
        (
            attrs.evolve(SYSTEM, started=Path("/x.pyz"), archive=True, container=True),
            "zipapp",
            ("/usr/bin/python3", "/x.pyz"),
        ),
    ],
)
def test_each_way_is_recognised(facts: Facts, way: str, program: tuple[str, ...]) -> None:
    found = recognise(facts)
    assert (found.way, found.program) == (way, program)


def test_this_program_knows_its_own() -> None:
    found = installation.own()
    assert found.way in {"venv", "python", "pipx", "uv"}
    assert Path(installation.__file__).is_relative_to(found.code[-1])


@pytest.mark.parametrize(
    ("origin", "clone", "editable"),
    [
        ('{"url": "file:///home/a/my%20clone", "dir_info": {}}', "/home/a/my clone", False),
        ('{"url": "file:///home/a/x", "dir_info": {"editable": true}}', "/home/a/x", True),
        ('{"url": "file:///home/a/x.whl", "archive_info": {}}', None, False),
        ('{"url": "https://example.org/x", "vcs_info": {}}', None, False),
        ("", None, False),
        ("[]", None, False),
        ("{", None, False),
    ],
)
def test_a_clone_is_known_by_what_pip_has_noted(
    origin: str,
    clone: str | None,
    editable: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    found = recognise(attrs.evolve(environment("/opt/x"), origin=origin))
    assert (found.clone and str(found.clone), found.editable) == (clone, editable)
