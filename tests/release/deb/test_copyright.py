"""The copyright file: who holds the rights in each package, and by which licence."""

from pathlib import Path

import pytest

from release.deb.copyright import text

OURS = "Copyright (c) 2026 phonegate maintainers\n\nDo as you like.\n"


def add(site: Path, name: str, metadata: str, **licences: str) -> None:
    info = site / f"{name}-1.0.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\n{metadata}\n\nA long description.\n")
    for file, content in licences.items():
        (info / "licenses" / file).write_text(content)
    (site / name).mkdir()


def stanza(site: Path, name: str) -> str:
    (found,) = (one for one in text(site, OURS).split("\n\n") if f"/{name}/*" in one)
    return found


def test_a_package_has_its_holders_and_the_whole_text_of_its_licence(tmp_path: Path) -> None:
    licence = "Copyright (c) 2020 A Person.\nCopyright 2021 Another\n\nThe copyright notice stays."
    add(tmp_path, "thing", "License-Expression: MIT", LICENSE=licence)
    assert stanza(tmp_path, "thing").splitlines() == [
        "Files: usr/lib/phonegate/thing-1.0.dist-info/*",
        " usr/lib/phonegate/thing/*",
        "Copyright: 2020 A Person",
        " 2021 Another",
        "License: Expat",
        " Copyright (c) 2020 A Person.",
        " Copyright 2021 Another",
        " .",
        " The copyright notice stays.",
    ]


def test_a_licence_that_debian_has_is_not_repeated_and_a_notice_is(tmp_path: Path) -> None:
    apache = "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION"
    add(
        tmp_path,
        "thing",
        "License: Apache-2.0\nAuthor: A Person",
        LICENSE=apache,
        NOTICE="It thanks Another.",
    )
    assert apache not in text(tmp_path, OURS)
    assert "It thanks Another." in stanza(tmp_path, "thing")
    assert "Copyright: A Person" in stanza(tmp_path, "thing")
    assert "/usr/share/common-licenses/Apache-2.0" in text(tmp_path, OURS)


def test_a_licence_that_only_a_classifier_names_is_found(tmp_path: Path) -> None:
    add(tmp_path, "thing", "Classifier: License :: OSI Approved :: MIT License")
    assert "License: Expat" in stanza(tmp_path, "thing")
    assert "Copyright: the authors of thing" in stanza(tmp_path, "thing")


def test_a_package_that_names_no_licence_is_refused(tmp_path: Path) -> None:
    add(tmp_path, "thing", "Author: A Person")
    with pytest.raises(ValueError, match=r"thing-1\.0\.dist-info names no licence"):
        text(tmp_path, OURS)


def test_a_folder_of_no_package_is_refused(tmp_path: Path) -> None:
    add(tmp_path, "thing", "License: MIT")
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="of which package are these: other"):
        text(tmp_path, OURS)
