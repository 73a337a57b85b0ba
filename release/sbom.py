"""The bill of materials of the zipapp: each package inside, as CycloneDX 1.6 in JSON.

Programs that watch for known faults of packages read it. All is made from the pinned requirements
and what the packages say of their licences, so that the same source gives the same bytes.
"""

import datetime as dt
import email
import json
import re
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("6f1c9f0e-5f6b-4f57-9d0c-5a3f0b7b8d51")
"""For serial numbers: the same zipapp has the same one."""

PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.+!]+) \\$")
DIGEST = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")
NEEDED_BY = re.compile(r"^    #(?: via |   )(?P<name>[\w.-]+)(?: \(pyproject\.toml\))?$")


@dataclass
class Package:
    """One pinned package."""

    name: str
    version: str
    digests: list[str] = field(default_factory=list)
    """SHA-256 of the files that it may have come as."""
    needed_by: list[str] = field(default_factory=list)

    @property
    def purl(self) -> str:
        """Its name among all packages of the world."""
        return f"pkg:pypi/{self.name}@{self.version}"


def packages(requirements: str) -> list[Package]:
    """The packages that pinned requirements name, with who needs each."""
    found: list[Package] = []
    for line in requirements.splitlines():
        if pin := PIN.match(line):
            found.append(Package(pin["name"], pin["version"]))
        elif digest := DIGEST.search(line):
            found[-1].digests.append(digest["digest"])
        elif needed_by := NEEDED_BY.match(line):
            found[-1].needed_by.append(needed_by["name"])
    return found


def licences(zipapp: Path) -> dict[str, list[dict[str, Any]]]:
    """What each package inside says of its licence, by normal name, as CycloneDX has it."""
    found = {}
    with zipfile.ZipFile(zipapp) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/METADATA"):
                said = email.message_from_bytes(archive.read(name))
                found[_normal(said["Name"])] = _licence(said)
    return found


def _licence(said: Message) -> list[dict[str, Any]]:
    if expression := said["License-Expression"]:
        return [{"expression": expression}]
    prefix = "License :: "
    classified = [
        each.rpartition(" :: ")[2]
        for each in said.get_all("Classifier", [])
        if each.startswith(prefix)
    ]
    stated = said["License"] or ""
    names = classified or ([stated] if stated and "\n" not in stated else [])
    return [{"license": {"name": name}} for name in names]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def bill(
    version: str,
    pinned: Sequence[Package],
    licensed: Mapping[str, list[dict[str, Any]]],
    *,
    digest: str,
    epoch: int,
) -> str:
    """The whole document.

    Args:
        version: Of phonegate.
        pinned: The packages inside the zipapp.
        licensed: Their licences.
        digest: SHA-256 of the zipapp.
        epoch: When it was made, in s.
    """
    product = f"pkg:pypi/phonegate@{version}"
    refs = {"phonegate": product, **{package.name: package.purl for package in pinned}}
    needs: dict[str, list[str]] = {ref: [] for ref in refs.values()}
    for package in pinned:
        for name in package.needed_by:
            needs[refs[name]].append(package.purl)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": dt.datetime.fromtimestamp(epoch, dt.UTC).isoformat(),
            "component": {
                "type": "application",
                "bom-ref": product,
                "name": "phonegate",
                "version": version,
                "purl": product,
                "licenses": [{"expression": "MIT"}],
                "hashes": [{"alg": "SHA-256", "content": digest}],
            },
        },
        "components": [
            {
                "type": "library",
                "bom-ref": package.purl,
                "name": package.name,
                "version": package.version,
                "purl": package.purl,
                "licenses": licensed.get(_normal(package.name), []),
                "externalReferences": [
                    {
                        "type": "distribution",
                        "url": package.purl,
                        "hashes": [{"alg": "SHA-256", "content": each} for each in package.digests],
                    }
                ],
            }
            for package in pinned
        ],
        "dependencies": [{"ref": ref, "dependsOn": needed} for ref, needed in needs.items()],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
