"""The instructions of the Dockerfile, as its tests read them."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, continued lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    parted = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, words.strip()) for name, _, words in parted]


def final_stage() -> list[tuple[str, str]]:
    """Those of the image itself, after the last FROM."""
    found = instructions()
    last = max(n for n, (name, _) in enumerate(found) if name == "FROM")
    return found[last + 1 :]


def only(name: str) -> str:
    """The words of the one instruction of the final stage that has this name."""
    (words,) = (words for each, words in final_stage() if each == name)
    return words


def variables() -> dict[str, str]:
    """What ENV of the final stage sets."""
    pairs = re.findall(r"(\w+)=(\S+)", " ".join(w for n, w in final_stage() if n == "ENV"))
    return dict(pairs)


def labels() -> dict[str, str]:
    """What LABEL of the final stage says."""
    return dict(re.findall(r'([\w.]+)="(.*?)"', only("LABEL")))


def command(name: str) -> list[str]:
    """The words of CMD or ENTRYPOINT in the form of JSON."""
    found: list[str] = json.loads(only(name))
    return found
