"""Settings as text, held against the settings."""

import tomllib
from pathlib import Path

import pytest

from phonegate.config import reader
from phonegate.config.setting_texts import example, section_texts
from phonegate.config.settings import Settings


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_rate_is_no_number_of_seconds() -> None:
    lines = example().splitlines()
    kinds = [lines[at - 1] for at, line in enumerate(lines) if "_per_s =" in line]
    assert kinds
    assert all(" number per second; " in kind for kind in kinds)


def test_the_example_loads_and_with_its_keys_active_gives_every_default() -> None:
    text = example()
    Path("gateway.toml").write_text(text)
    assert reader.load() == Settings()
    active = "\n".join(
        line.removeprefix("#") if line.startswith("#") and not line.startswith("# ") else line
        for line in text.splitlines()
    )
    Path("gateway.toml").write_text(active)
    assert reader.load() == Settings()
    keys = {section: set(keys) for section, keys in tomllib.loads(active).items()}
    described = {section.name: {one.key for one in section.settings} for section in section_texts()}
    assert keys == described
    assert all(f"PHONEGATE_{s}_{k}".upper() in text for s, names in keys.items() for k in names)


def test_every_setting_has_a_sentence_and_its_variable_sets_it() -> None:
    for section in section_texts():
        assert section.about.endswith(".")
        for setting in section.settings:
            assert setting.help.endswith(".")
            with pytest.raises(reader.ConfigError) as caught:
                reader.load(None, {setting.variable: "\0"})
            assert f"{section.name}.{setting.key}" in {fault.key for fault in caught.value.faults}
