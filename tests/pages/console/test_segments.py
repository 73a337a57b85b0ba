"""The counter of segments in the browser, held to the gateway's own count."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

import phonegate.pages
from phonegate.domain.segmentation import BASIC, EXTENDED, count

NODE = shutil.which("node")
MODULE = Path(phonegate.pages.__file__).parent / "files" / "console" / "segments.js"

PROGRAM = """
import { readFileSync } from "node:fs";
const source = readFileSync(process.argv[2], "utf8");
const { count } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map(count)));
"""

ALPHABETS = (
    BASIC,
    BASIC + EXTENDED,
    EXTENDED,
    BASIC + "ł",
    "ç€",
    "😀",
    "a😀",
    "日本",
    "\0a",
    "\x1b",
)


def _texts() -> list[str]:
    """Texts of all alphabets, of lengths around those at which a part more is needed."""
    chance = random.Random(1)
    lengths = [0, 1, 66, 67, 68, 69, 70, 71, 133, 134, 135, 152, 153, 154, 159, 160, 161, 305, 306]
    lengths += [307, 459, 460, 1600]
    texts = [
        "".join(chance.choices(alphabet, k=length)) for alphabet in ALPHABETS for length in lengths
    ]
    # One wide character moves through the place where two parts meet.
    for wide, fill, edge in (("€", "a", 153), ("😀", "ł", 67)):
        texts += [fill * at + wide + fill * 160 for at in range(edge - 3, edge + 3)]
    # Half of a pair, as a text may have in which a character was cut in two.
    texts += ["\ud83d" * 71, "a\ude00" * 67, "\ud83d\ud83d\ude00" * 50]
    return texts


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_it_counts_as_the_gateway_does(tmp_path: Path) -> None:
    program = tmp_path / "count.mjs"
    program.write_text(PROGRAM)
    texts = _texts()
    run = subprocess.run(
        [str(NODE), str(program), str(MODULE)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    counted = json.loads(run.stdout)
    assert [text for text, n in zip(texts, counted, strict=True) if n != count(text)] == []
