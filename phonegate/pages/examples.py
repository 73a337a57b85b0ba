"""What the pages show beyond the examples of the table: an agent's calls, and the phone link.

Each works as printed, once the examples above it on the page have run.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from phonegate.api.endpoint import Example

_AGENT: Final = ("Authorization", "Bearer $PHONEGATE_KEY")
"""A variable, so that a key is not written into a shell's history with each command."""

_JSON: Final = ("Content-Type", "application/json")
_SECRET: Final = ("X-Secret-Key", "my-secret-key-123")

_SENT: Final = (
    '{"org_id":"myorg","count":1,"messages":[{"id":7,"direction":"out","address":"+15553335555",'
    '"body":"b","status":"sent","sent_at":"2026-11-21T08:00:01.000Z"}]}'
)
_NOTHING_NEW: Final = '{"org_id":"myorg","count":0,"messages":[]}'

MORE: Final[Mapping[str, Sequence[Example]]] = {
    "get_messages": (
        Example(
            title="watch what you sent",
            path="/messages/myorg?direction=out&limit=1",
            headers=(_SECRET,),
            answer=_SENT,
        ),
        Example(
            title="what came in",
            path="/messages/myorg?direction=in&since_id=0",
            headers=(_AGENT,),
            answer='{"org_id":"myorg","count":1,"messages":[{"id":1,"direction":"in",'
            '"address":"+15551112222","body":"hello","status":"received",'
            '"created_at":"2026-11-21T08:00:00.000Z"}]}',
        ),
        Example(
            title="replies from one number, after the last id seen",
            path="/messages/myorg?direction=in&address=%2B15553334444&since_id=1",
            headers=(_AGENT,),
            answer=_NOTHING_NEW,
        ),
    ),
    "get_events": (
        Example(
            title="where to begin",
            path="/events/myorg?limit=1",
            headers=(_AGENT,),
            answer='{"ok":true,"events":[],"last_id":5}',
        ),
        Example(
            title="wait until what you sent has left",
            path="/events/myorg?types=message.sent,message.failed&wait=25&since_id=0",
            headers=(_AGENT,),
            answer='{"ok":true,"events":[{"id":7,"type":"message.sent",'
            '"created_at":"2026-11-21T08:00:01.000Z","data":{"message":{"id":6,"direction":"out",'
            '"address":"+15553334444","body":"Dinner at eight?","status":"sent"}}}],"last_id":7}',
        ),
    ),
    "send_sms": (
        Example(
            title="one message, safe to repeat",
            path="/send/myorg",
            headers=(_AGENT, _JSON, ("Idempotency-Key", "dinner-2026-11-21")),
            body='{"to":"+15553334444","body":"Dinner at eight?"}',
            answer='{"ok":true,"device_online":true,"queued":1,'
            '"results":[{"id":6,"to":"+15553334444","status":"sending"}]}',
        ),
    ),
    "list_sims": (
        Example(
            title="the SIMs to send by",
            path="/sims/myorg",
            headers=(_AGENT,),
            answer='{"online_devices":1,'
            '"live_sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}],'
            '"known_sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}]}',
        ),
    ),
    "create_key": (
        Example(
            title="a key for an agent, with limits",
            path="/keys/myorg",
            headers=(_SECRET, _JSON),
            body="""{
"name": "agent",
"scopes": ["send", "read"],
"limits": {"to": ["+1555*"], "per_hour": 20, "from": ["+1555*"], "codes": "hidden"}
}""",
            answer='{"ok":true,"id":"k3v9","key":"pgk_…","name":"agent",'
            '"scopes":["send","read"],"limits":{"to":["+1555*"],"per_hour":20,"per_day":null,'
            '"quiet_hours":null,"hold":false,"from":["+1555*"],"codes":"hidden"}}',
            status=201,
        ),
    ),
    "send_sms_from_number": (
        Example(
            title="from a SIM of your own",
            path="/sms/send",
            headers=(_AGENT, _JSON),
            body="""{
"from_phone_number": "+15551112222",
"to_phone_number": "+15553334444",
"message": "sent from my own SIM"
}""",
            answer='{"success":true,"message_id":"7",'
            '"message":"SMS sent successfully via phone","provider":"phone"}',
        ),
    ),
}
"""By the name of their endpoint, in the order of their running."""


@attrs.frozen(kw_only=True)
class Frame:
    """A frame of the phone link, and when it goes which way."""

    from_phone: bool
    json: str
    meaning: str


FRAMES: Final = (
    Frame(
        from_phone=False,
        json='{"type":"connected","org_id":"myorg","device_id":null,'
        '"server_time":"2026-11-21T08:00:00.000Z"}',
        meaning="Always first.",
    ),
    Frame(
        from_phone=True,
        json='{"type":"sims","sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}]}',
        meaning="All SIMs, at once and whenever they change.",
    ),
    Frame(
        from_phone=True,
        json='{"type":"inbound","message":{"address":"+15553334444","body":"hello",'
        '"date":1700000000000}}',
        meaning="An SMS came in.",
    ),
    Frame(
        from_phone=False,
        json='{"type":"send_sms","id":5,"to":"+15553334444","body":"hi","sim":"+15551112222"}',
        meaning="Send this one.",
    ),
    Frame(
        from_phone=True,
        json='{"type":"send_result","id":5,"success":true}',
        meaning="It was sent; or success is false, and error says why.",
    ),
)
"""The five that are enough for a phone."""

PHONE_PROGRAM: Final = """\
# pip install websockets
import asyncio, json, websockets

async def main():
    url = "LINK/websocket"
    who = "org_id=myorg&secret_key=my-secret-key-123"
    async with websockets.connect(f"{url}?{who}") as ws:
        print(await ws.recv())  # {"type":"connected",...}
        sim = {"slot": 0, "number": "+15551112222", "carrier": "AT&T"}
        await ws.send(json.dumps({"type": "sims", "sims": [sim]}))
        async for msg in ws:
            print(msg)  # {"type":"send_sms",...}
            frame = json.loads(msg)
            if frame["type"] == "send_sms":
                # Here a real phone hands it to its radio.
                done = {"id": frame["id"], "success": True}
                await ws.send(json.dumps({"type": "send_result", **done}))

asyncio.run(main())
"""
"""A whole phone but for its radio. LINK stands for the gateway's address."""

MCP_SETUP: Final = """\
{
  "mcpServers": {
    "phonegate": {
      "type": "http",
      "url": "BASE/mcp",
      "headers": {"Authorization": "Bearer pgk_…"}
    }
  }
}"""
"""How most MCP clients are configured. BASE stands for the gateway's address."""
