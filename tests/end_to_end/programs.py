"""The programs that the page of `/sms/send` prints, and how each is run and understood.

They stand here as printed. What runs is the same text with another host and API key (and,
where a test is about them, other numbers); the functions among them get a call appended.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.end_to_end.node_packages import package_folder
from tests.patience import PATIENCE_S

HOST = "https://api.burki.dev"
API_KEY = "YOUR_API_KEY"
FROM = "+1234567890"
TO = "+1555123456"
TEXT = "Hello from your AI assistant!"

AXIOS = "axios@1.21.1"

CURL = """\
curl -X POST "https://api.burki.dev/sms/send" \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "from_phone_number": "+1234567890",
    "to_phone_number": "+1555123456",
    "message": "Hello from your AI assistant!"
  }'
"""

PYTHON_SCRIPT = """\
import requests

response = requests.post(
    "https://api.burki.dev/sms/send",
    headers={"Authorization": "Bearer YOUR_API_KEY"},
    json={
        "from_phone_number": "+1234567890",
        "to_phone_number": "+1555123456",
        "message": "Hello from your AI assistant!"
    }
)

if response.status_code == 200:
    data = response.json()
    print(f"SMS sent successfully via {data['provider']}")
    print(f"Message ID: {data['message_id']}")
else:
    print(f"Error: {response.status_code} - {response.json()['detail']}")
"""

NODE = """\
const axios = require('axios');

async function sendSMS(fromPhone, toPhone, message) {
  try {
    const response = await axios.post('https://api.burki.dev/sms/send', {
      from_phone_number: fromPhone,
      to_phone_number: toPhone,
      message: message
    }, {
      headers: {
        'Authorization': 'Bearer YOUR_API_KEY',
        'Content-Type': 'application/json'
      }
    });
    
    console.log('SMS sent:', response.data);
    return response.data;
  } catch (error) {
    console.error('Failed to send SMS:', error.response.data);
    throw error;
  }
}
"""  # noqa: W293 - as printed

PYTHON_FUNCTION = """\
import requests

def send_sms(from_phone, to_phone, message, media_urls=None):
    url = "https://api.burki.dev/sms/send"
    headers = {
        "Authorization": "Bearer YOUR_API_KEY",
        "Content-Type": "application/json"
    }
    
    payload = {
        "from_phone_number": from_phone,
        "to_phone_number": to_phone,
        "message": message
    }
    
    if media_urls:
        payload["media_urls"] = media_urls
    
    response = requests.post(url, json=payload, headers=headers)
    
    if response.status_code == 200:
        return response.json()
    else:
        raise Exception(f"SMS failed: {response.json()['detail']}")
"""  # noqa: W293 - as printed

PHP = """\
<?php
function sendSMS($fromPhone, $toPhone, $message, $mediaUrls = null) {
    $url = 'https://api.burki.dev/sms/send';
    $headers = [
        'Authorization: Bearer YOUR_API_KEY',
        'Content-Type: application/json'
    ];
    
    $data = [
        'from_phone_number' => $fromPhone,
        'to_phone_number' => $toPhone,
        'message' => $message
    ];
    
    if ($mediaUrls) {
        $data['media_urls'] = $mediaUrls;
    }
    
    $ch = curl_init();
    curl_setopt($ch, CURLOPT_URL, $url);
    curl_setopt($ch, CURLOPT_POST, true);
    curl_setopt($ch, CURLOPT_POSTFIELDS, json_encode($data));
    curl_setopt($ch, CURLOPT_HTTPHEADER, $headers);
    curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
    
    $response = curl_exec($ch);
    $httpCode = curl_getinfo($ch, CURLINFO_HTTP_CODE);
    curl_close($ch);
    
    if ($httpCode === 200) {
        return json_decode($response, true);
    } else {
        throw new Exception("SMS failed: " . $response);
    }
}
?>
"""  # noqa: W293 - as printed


@attrs.frozen(kw_only=True)
class Call:
    """One send: to which gateway, by whose key, and what."""

    host: str
    key: str = attrs.field(repr=False)
    sender: str = FROM
    recipient: str = TO
    text: str = TEXT
    media: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Outcome:
    """What a program gave whoever started it; `None` where it does not tell."""

    sent: bool
    status: int | None = None
    answer: dict[str, Any] | None = None
    """The gateway's JSON."""
    message_id: str | None = None
    provider: str | None = None
    detail: str | None = None


def _told(status: int | None, answer: dict[str, Any]) -> Outcome:
    """The outcome as a program's own copy of the answer tells it."""
    return Outcome(
        sent=answer.get("success") is True,
        status=status,
        answer=answer,
        message_id=answer.get("message_id"),
        provider=answer.get("provider"),
        detail=answer.get("detail"),
    )


class Program(ABC):
    """One of the printed programs."""

    name: str
    printed: str
    needs: str
    """The interpreter it is run with."""
    sends_media = False

    def run(self, call: Call, folder: Path) -> Outcome:
        """Runs it in `folder`, and reads what it printed."""
        if shutil.which(self.needs) is None:
            pytest.skip(f"{self.needs} is not installed")
        assert self.sends_media or not call.media
        program = self.printed
        for old, new in ((HOST, call.host), (API_KEY, call.key)):
            assert program.count(old) == 1
            program = program.replace(old, new)
        done = self._start(program, call, folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return self._read(done.stdout, call)

    @abstractmethod
    def _start(
        self, program: str, call: Call, folder: Path
    ) -> "subprocess.CompletedProcess[str]": ...

    @abstractmethod
    def _read(self, printed: str, call: Call) -> Outcome: ...


def _execute(command: list[str], **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "NO_COLOR": "1", **environment},
    )


def _with_values(program: str, call: Call) -> str:
    """A program that has its values written in it, with others."""
    for old, new in ((FROM, call.sender), (TO, call.recipient), (TEXT, call.text)):
        assert program.count(old) == 1
        program = program.replace(old, new)
    return program


class Curl(Program):
    """Tells everything, with a status after the answer."""

    name = "curl"
    printed = CURL
    needs = "curl"

    def _start(self, program: str, call: Call, folder: Path) -> "subprocess.CompletedProcess[str]":
        quiet = "curl -sS --max-time 60 -w '\\n%{http_code}'"
        return _execute(["bash", "-c", _with_values(program, call).replace("curl", quiet, 1)])

    def _read(self, printed: str, call: Call) -> Outcome:
        answer, status = printed.rsplit("\n", 1)
        return _told(int(status), json.loads(answer))


class PythonScript(Program):
    """Prints two sentences of success, or one of error."""

    name = "python-script"
    printed = PYTHON_SCRIPT
    needs = "python3"

    def _start(self, program: str, call: Call, folder: Path) -> "subprocess.CompletedProcess[str]":
        path = folder / "script.py"
        path.write_text(_with_values(program, call))
        return _execute([sys.executable, str(path)])

    def _read(self, printed: str, call: Call) -> Outcome:
        if failure := re.fullmatch(r"Error: (\d+) - (.*)\n", printed):
            return Outcome(sent=False, status=int(failure[1]), detail=failure[2])
        success = re.fullmatch(r"SMS sent successfully via (\w+)\nMessage ID: (.+)\n", printed)
        assert success, printed
        return Outcome(sent=True, status=200, provider=success[1], message_id=success[2])


class PythonFunction(Program):
    """Returns the answer, or raises with the detail."""

    name = "python-function"
    printed = PYTHON_FUNCTION
    needs = "python3"
    sends_media = True

    def _start(self, program: str, call: Call, folder: Path) -> "subprocess.CompletedProcess[str]":
        values = (call.sender, call.recipient, call.text, list(call.media) or None)
        calling = (
            f"\ntry:\n    print(repr(send_sms(*{values!r})))\n"
            "except Exception as error:\n    print(str(error))\n"
        )
        path = folder / "function.py"
        path.write_text(program + calling)
        return _execute([sys.executable, str(path)])

    def _read(self, printed: str, call: Call) -> Outcome:
        if failure := re.fullmatch(r"SMS failed: (.*)\n", printed):
            return Outcome(sent=False, detail=failure[1])
        return _told(200, ast.literal_eval(printed))


class Node(Program):
    """Returns the answer, or logs the gateway's and throws."""

    name = "node"
    printed = NODE
    needs = "node"

    def _start(self, program: str, call: Call, folder: Path) -> "subprocess.CompletedProcess[str]":
        values = json.dumps([call.sender, call.recipient, call.text])
        calling = (
            f"\nsendSMS(...{values}).then(\n"
            "  answer => console.log('\\n' + JSON.stringify([200, answer])),\n"
            "  error => console.log(\n"
            "    '\\n' + JSON.stringify([error.response.status, error.response.data])));\n"
        )
        path = folder / "program.js"
        path.write_text(program + calling)
        return _execute(["node", str(path)], NODE_PATH=str(axios_folder()))

    def _read(self, printed: str, call: Call) -> Outcome:
        status, answer = json.loads(printed.rstrip("\n").rsplit("\n", 1)[1])
        assert ("SMS sent:" in printed) == (status == 200), printed
        return _told(status, answer)


class Php(Program):
    """Returns the answer, or throws with the gateway's whole answer."""

    name = "php"
    printed = PHP
    needs = "php"
    sends_media = True

    def _start(self, program: str, call: Call, folder: Path) -> "subprocess.CompletedProcess[str]":
        (folder / "function.php").write_text(program)
        values = json.dumps([call.sender, call.recipient, call.text, list(call.media) or None])
        (folder / "values.json").write_text(values)
        path = folder / "call.php"
        path.write_text(
            "<?php\nrequire __DIR__ . '/function.php';\n"
            "$values = json_decode(file_get_contents(__DIR__ . '/values.json'), true);\n"
            "try { echo json_encode(sendSMS(...$values)); }\n"
            "catch (Exception $failure) { echo $failure->getMessage(); }\n"
        )
        return _execute(["php", str(path)])

    def _read(self, printed: str, call: Call) -> Outcome:
        told = json.loads(printed.strip().removeprefix("SMS failed: "))
        return _told(200 if told.get("success") else None, told)


PROGRAMS: tuple[Program, ...] = (Curl(), PythonScript(), PythonFunction(), Node(), Php())


def axios_folder() -> Path:
    """The folder of Node packages that holds axios, from the npm registry."""
    return package_folder(AXIOS)
