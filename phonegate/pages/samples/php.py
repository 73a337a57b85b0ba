"""Samples in PHP."""

from typing import Final

_SEND: Final = """
<?php
$call = curl_init("BASE/send/myorg");
curl_setopt_array($call, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_TIMEOUT => 60,
    CURLOPT_HTTPHEADER => [
        "Authorization: Bearer " . getenv("PHONEGATE_KEY"),
        "Content-Type: application/json",
        "Idempotency-Key: dinner-2026-11-21",
    ],
    CURLOPT_POSTFIELDS => json_encode(["to" => "+15553334444", "body" => "Dinner at eight?"]),
]);
$text = curl_exec($call);
if ($text === false) {
    throw new Exception(curl_error($call));
}
$answer = json_decode($text, true);
if (!$answer["ok"]) {
    throw new Exception($answer["detail"]);
}
foreach ($answer["results"] as $result) {
    echo $result["id"], " ", $result["status"], "\\n";
}
"""

_READ: Final = """
<?php
$lastId = 0; // what you have read so far
$query = http_build_query(["direction" => "in", "since_id" => $lastId]);
$call = curl_init("BASE/messages/myorg?$query");
curl_setopt_array($call, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_TIMEOUT => 60,
    CURLOPT_HTTPHEADER => ["Authorization: Bearer " . getenv("PHONEGATE_KEY")],
]);
$text = curl_exec($call);
if ($text === false) {
    throw new Exception(curl_error($call));
}
foreach (json_decode($text, true)["messages"] as $message) {
    echo $message["id"], " ", $message["address"], " ", $message["body"], "\\n";
    $lastId = $message["id"];
}
"""

_FOLLOW: Final = """
<?php
function events(string $query): array
{
    for (;;) {
        $call = curl_init("BASE/events/myorg?$query");
        curl_setopt_array($call, [
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 60,
            CURLOPT_HTTPHEADER => ["Authorization: Bearer " . getenv("PHONEGATE_KEY")],
        ]);
        $text = curl_exec($call);
        $status = curl_getinfo($call, CURLINFO_RESPONSE_CODE);
        if ($status === 200) {
            return json_decode($text, true);
        }
        if ($status >= 400 && $status < 500 && $status !== 429) {
            throw new Exception($text);
        }
        sleep(5); // The gateway is away.
    }
}

$lastId = events("limit=1")["last_id"];
for (;;) {
    $page = events("types=message.received&wait=25&since_id=$lastId");
    foreach ($page["events"] as $event) {
        $message = $event["data"]["message"];
        echo $message["address"], " ", $message["body"], "\\n";
    }
    $lastId = $page["last_id"];
}
"""

_VERIFY: Final = """
<?php
function isSigned(string $secret, string $body): bool
{
    $id = $_SERVER["HTTP_WEBHOOK_ID"] ?? "";
    $time = $_SERVER["HTTP_WEBHOOK_TIMESTAMP"] ?? "";
    if (!ctype_digit($time) || abs(time() - (int) $time) > 300) {
        return false;
    }
    $key = base64_decode(preg_replace("/^whsec_/", "", $secret));
    $own = "v1," . base64_encode(hash_hmac("sha256", "$id.$time.$body", $key, true));
    foreach (explode(" ", $_SERVER["HTTP_WEBHOOK_SIGNATURE"] ?? "") as $given) {
        if (hash_equals($own, $given)) {
            return true;
        }
    }
    return false;
}

$body = file_get_contents("php://input");
if (!isSigned(getenv("WEBHOOK_SECRET"), $body)) {
    http_response_code(400);
    exit;
}
$event = json_decode($body, true);
error_log($event["type"] . " " . $event["id"]);
http_response_code(204);
"""

SAMPLES: Final = {"send": _SEND, "read": _READ, "follow": _FOLLOW, "verify": _VERIFY}
