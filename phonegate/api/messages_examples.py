"""The examples of the phone gateway's face: each works as printed here."""

from typing import Final

from phonegate.api.endpoint import Example

_JSON: Final = (("Content-Type", "application/json"),)
_SECRET: Final = (("X-Secret-Key", "my-secret-key-123"),)

WEBHOOK: Final = (
    Example(
        title="a phone pushes what it received",
        path="/webhook",
        headers=_JSON,
        body="""{
"org_id": "myorg",
"secret_key": "my-secret-key-123",
"messages": [
{"address":"+15551112222","body":"hello","date":1700000000000,"sim_slot":0,"id":"123"}
]
}""",
        answer='{"ok":true,"org_id":"myorg","stored":1}',
    ),
)

_PAGE: Final = (
    '{"org_id":"myorg","count":1,"messages":[{"id":1,"direction":"in","address":"+15551112222",'
    '"body":"hello","status":"received","created_at":"2026-11-21T08:00:00.000Z"}]}'
)

WHOLE_MESSAGE: Final = (
    '{"id":1,"direction":"in","address":"+15551112222","body":"hello","status":"received",'
    '"created_at":"2026-11-21T08:00:00.000Z","sim_slot":0,"sim":null,"date":1700000000000,'
    '"sent_at":null,"delivered_at":null,"error":null,"segments":1,"provider":"phone",'
    '"media_urls":null,"send_at":null,"expires_at":null,"waiting_for":null,"key":null}'
)
_WHOLE_PAGE: Final = f'{{"org_id":"myorg","count":1,"messages":[{WHOLE_MESSAGE}]}}'

MESSAGES: Final = (
    Example(
        title="secret in the path",
        path="/messages/myorg/my-secret-key-123",
        answer=_PAGE,
        whole=_WHOLE_PAGE,
    ),
    Example(
        title="secret in a header (preferred)",
        path="/messages/myorg",
        headers=_SECRET,
        answer=_PAGE,
        whole=_WHOLE_PAGE,
    ),
    Example(
        title="with filters",
        path="/messages/myorg?limit=100&since_id=0&direction=in&sim=+15551112222",
        headers=_SECRET,
        answer='{"org_id":"myorg","count":0,"messages":[]}',
    ),
)

MESSAGE: Final = (
    Example(
        title="a received message",
        path="/messages/myorg/id/1",
        headers=_SECRET,
        answer=f'{{"org_id":"myorg","message":{WHOLE_MESSAGE}}}',
    ),
)

CANCEL: Final = (
    Example(
        title="a message that waits for a phone",
        path="/messages/myorg/id/5",
        headers=_SECRET,
        answer='{"ok":true,"id":5,"status":"cancelled"}',
    ),
)

_HELD: Final = (
    '{{"ok":true,"message":{{"id":5,"direction":"out","address":"+15553334444",'
    '"body":"Dinner at eight?","status":"{status}","created_at":"2026-11-21T08:00:00.000Z",'
    '"sim_slot":null,"sim":null,"date":null,"sent_at":null,"delivered_at":null,"error":{error},'
    '"segments":1,"provider":"phone","media_urls":null,"send_at":{send_at},"expires_at":null,'
    '"waiting_for":{waiting_for},"key":"k3v9"}}}}'
)

APPROVE: Final = (
    Example(
        title="a message that a person agrees to",
        path="/messages/myorg/id/5/approve",
        headers=_SECRET,
        answer=_HELD.format(
            status="queued",
            error="null",
            send_at="null",
            waiting_for='"phone"',
        ),
    ),
)

REFUSE: Final = (
    Example(
        title="a message that shall not leave",
        path="/messages/myorg/id/5/refuse",
        headers=_SECRET,
        answer=_HELD.format(
            status="cancelled", error='"refused by its owner"', send_at="null", waiting_for="null"
        ),
    ),
)

SEND: Final = (
    Example(
        title="one message",
        path="/send/myorg",
        headers=_JSON,
        body="""{
"secret_key": "my-secret-key-123",
"sim": "+15551112222", // optional: SIM number or slot index; omit = first device
"to": "+15553334444",
"body": "sent from the API"
}""",
        answer='{"ok":true,"device_online":true,"queued":1,'
        '"results":[{"id":5,"to":"+15553334444","status":"sending"}]}',
    ),
    Example(
        title="several at once",
        path="/send/myorg",
        headers=_JSON,
        body="""{
"secret_key": "my-secret-key-123",
"messages":[{"to":"+15553334444","body":"a"},{"to":"+15553335555","body":"b"}]
}""",
        answer='{"ok":true,"device_online":true,"queued":2,'
        '"results":[{"id":6,"to":"+15553334444","status":"sending"},'
        '{"id":7,"to":"+15553335555","status":"sending"}]}',
    ),
)

SIMS: Final = (
    Example(
        title="the org's SIMs",
        path="/sims/myorg",
        headers=_SECRET,
        answer='{"online_devices":1,'
        '"live_sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}],'
        '"known_sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}]}',
    ),
)
