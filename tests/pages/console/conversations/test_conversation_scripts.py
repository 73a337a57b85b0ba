"""Scripts of the conversations that need no page: run by Node, held to what the server does."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import phonegate.pages
from phonegate.pages.console.conversations.conversation_path import conversation

NODE = shutil.which("node")
FILES = Path(phonegate.pages.__file__).parent / "files" / "console"

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed")

PATHS = """
const { conversation } = await import(module);
answer = given.map(conversation);
"""

NOTIFICATIONS = """
const made = (name) => Object.assign(new EventTarget(), { append() {}, setAttribute() {}, name });
globalThis.document = Object.assign(new EventTarget(), {
  body: { dataset: { org: "o", root: "/console" } }, createElement: made, hidden: true,
});
const store = {};
globalThis.localStorage = {
  getItem: (key) => store[key] ?? null,
  setItem: (key, value) => { store[key] = value; },
  removeItem: (key) => { delete store[key]; },
};
const shown = [];
globalThis.isSecureContext = true;
globalThis.window = globalThis;
globalThis.Notification = class {
  static permission = "granted";
  static async requestPermission() { return "granted"; }
  constructor(title, options) {
    if (given.broken) throw new TypeError("Illegal constructor");
    shown.push([title, options.body]);
  }
};
const { offerNotifications } = await import(module);
const parts = [];
offerNotifications({ append: (...some) => parts.push(...some) }, { titleOf: (a) => a });
const [button, , note] = parts;
button.dispatchEvent(new Event("click"));
await new Promise((done) => setTimeout(done));
const message = { address: "+1555", body: "secret" };
const detail = { type: "message.received", data: { message } };
document.dispatchEvent(Object.assign(new Event("phonegate:event"), { detail }));
answer = { shown, note: note.textContent, kept: Object.values(store) };
"""


def run(script: str, module: str, given: Any, folder: Path) -> Any:
    """Runs a script with a module of the console, and returns its answer."""
    program = folder / "program.mjs"
    program.write_text(
        """
        import { readFileSync } from "node:fs";
        const source = encodeURIComponent(readFileSync(process.argv[2], "utf8"));
        const module = `data:text/javascript,${source}`;
        const given = JSON.parse(readFileSync(0, "utf8"));
        let answer;
        """
        + script
        + "process.stdout.write(JSON.stringify(answer));"
    )
    ran = subprocess.run(
        [str(NODE), str(program), str(FILES / module)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(ran.stdout)


def test_a_conversation_stands_where_the_server_has_it(tmp_path: Path) -> None:
    parties = ["+15553334444", "", ".", "..", "a/b", "Bank & Co?", "\u05e9\u05dc", "%41", "12345"]
    found = run(PATHS, "conversation_path.js", parties, tmp_path)
    assert found == [conversation(party) for party in parties]


def test_a_message_is_shown_without_its_text_unless_that_is_asked_for(tmp_path: Path) -> None:
    answer = run(NOTIFICATIONS, "notify.js", {"broken": False}, tmp_path)
    assert answer["shown"][1:] == [["+1555", "New message"]]
    assert answer["kept"] == ["plain"]


def test_a_browser_that_shows_no_notifications_of_pages_says_so(tmp_path: Path) -> None:
    answer = run(NOTIFICATIONS, "notify.js", {"broken": True}, tmp_path)
    assert answer == {
        "shown": [],
        "note": "Your browser shows no notifications of pages.",
        "kept": [],
    }
