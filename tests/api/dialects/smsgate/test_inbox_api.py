"""Received messages by the third-party API of SMS Gateway for Android."""

from phonegate.domain.announced_mms import NOT_FETCHED
from phonegate.model.media import Part
from tests.api.dialects.smsgate.client import Client
from tests.api.dialects.smsgate.test_messages_api import receive


async def test_received_messages_are_listed(client: Client) -> None:
    sms = await receive(client.web)
    announced = await receive(client.web, error=NOT_FETCHED)
    mms = await receive(client.web, parts=1)
    part = Part(content_type="image/png", name="cat.png", data=b"meow")
    await client.web.database.write(lambda tx: tx.media_parts.add(mms, 1, [part]))

    async def listed(query: str) -> list[tuple[str, str]]:
        reply = await client.call("GET", f"/inbox?{query}")
        assert reply.status == 200, reply.data
        return [(one["id"], one["type"]) for one in reply.json]

    kinds = [(str(mms), "MMS_DOWNLOADED"), (str(announced), "MMS"), (str(sms), "SMS")]
    assert await listed("") == kinds
    assert await listed("type=SMS") == [kinds[2]]
    assert await listed("type=MMS") == [kinds[1]]
    assert await listed("type=MMS_DOWNLOADED") == [kinds[0]]
    assert await listed("type=DATA_SMS") == []
    assert await listed("limit=1&offset=2") == [kinds[2]]
    assert await listed("deviceId=1&from=2027-01-01T00:00:00Z") == []
    reply = await client.call("GET", "/inbox?limit=1&includeAttachments=True")
    assert reply.headers["x-total-count"] == "3"
    assert reply.json == [
        {
            "id": str(mms),
            "type": "MMS_DOWNLOADED",
            "sender": "+15553334444",
            "recipient": "+15551112222",
            "simNumber": 1,
            "contentPreview": "Yes",
            "createdAt": "2027-01-15T08:00:00.000Z",
            "attachments": [
                {"partId": 1, "name": "cat.png", "size": 4, "contentType": "image/png"}
            ],
        }
    ]
    file = await client.call("GET", f"/inbox/{mms}/attachments/1")
    assert (file.status, file.data, file.headers["content-type"]) == (200, b"meow", "image/png")
    for path in (f"/inbox/{mms}/attachments/2", f"/inbox/{sms}/attachments/1"):
        assert (await client.call("GET", path)).status == 404
    wrong = await client.call("GET", "/inbox?type=FAX&limit=501")
    assert (wrong.status, set(wrong.json["data"])) == (400, {"type", "limit"})


async def test_the_inbox_refreshes_by_itself(client: Client) -> None:
    for path in ("/inbox/refresh", "/messages/inbox/export", "/inbox/export"):
        body = {"since": "2027-01-01T00:00:00Z", "until": "2027-01-02T00:00:00Z"}
        reply = await client.call("POST", path, body)
        assert (reply.status, reply.data) == (202, b"")
