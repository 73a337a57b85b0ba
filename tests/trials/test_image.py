"""What the trial of the image finds in the files that it runs."""

from kit.program import ROOT
from trials.image import __main__ as trial
from trials.image import steps


def test_it_builds_on_the_base_that_the_dockerfile_names() -> None:
    assert trial.official(ROOT).startswith("docker.io/library/python:3.")


def test_it_stands_in_for_each_image_that_is_pulled() -> None:
    images = trial.images(ROOT)
    assert set(images) == {"caddy", "litestream"}
    assert images["caddy"].startswith("docker.io/library/caddy:")


def test_it_runs_the_lines_of_the_pages() -> None:
    page = ROOT / "docs" / "install.md"
    assert "docker compose cp" in steps.printed(page, "phonegate backup /data")
    assert "docker compose start" in steps.printed(page, "docker compose stop")
    assert "ca.crt" in steps.printed(ROOT / "docs" / "stand-in.md", "docker compose cp")


def test_it_restores_by_the_words_of_the_compose_file() -> None:
    file = ROOT / "deploy" / "docker" / "compose.litestream.yaml"
    assert steps.restoring(file)[:2] == ["litestream", "restore"]
