import zipfile
from pathlib import Path

import yaml

from release import homeassistant

ROOT = Path(__file__).parents[2]
EPOCH = 1_796_000_000


def test_the_archive_is_a_folder_that_home_assistant_builds(tmp_path: Path) -> None:
    pyz = tmp_path / "phonegate.pyz"
    pyz.write_bytes(b"a zipapp")
    archive = homeassistant.build(ROOT, pyz, tmp_path, version="1.2.3", epoch=EPOCH)
    assert archive.name == "phonegate-homeassistant-1.2.3.zip"
    with zipfile.ZipFile(archive) as packed:
        names = {name.removeprefix("phonegate/") for name in packed.namelist()}
        config = yaml.safe_load(packed.read("phonegate/config.yaml"))
        dockerfile = packed.read("phonegate/Dockerfile").decode()
        assert packed.read("phonegate/phonegate.pyz") == b"a zipapp"
    assert {"config.yaml", "Dockerfile", "DOCS.md", "CHANGELOG.md", "icon.png"} <= names
    assert config["version"] == "1.2.3"
    for copied in dockerfile.partition("COPY ")[2].partition(" /")[0].split():
        assert copied in names


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    pyz = tmp_path / "phonegate.pyz"
    pyz.write_bytes(b"a zipapp")
    built = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        archive = homeassistant.build(ROOT, pyz, tmp_path / name, version="1.2.3", epoch=EPOCH)
        built.append(archive.read_bytes())
    assert built[0] == built[1]
