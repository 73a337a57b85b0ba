"""Apps that only forward received SMS to a URL, and what to paste into each. Pure.

Each fills its template in a way of its own. What an app escapes is put into JSON. What it puts in
unescaped goes as plain text, since a quote in an SMS would break JSON and the SMS would be lost.
"""

import json
from string import Template
from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Paste:
    """A text for one field of an app, with `$url`, `$key` and `$phone` to be filled in."""

    field: str
    """What the app calls the field."""
    text: str
    is_json: bool = False
    """Whether the text is JSON, where values stand within strings."""

    def filled(self, *, url: str, key: str, phone: str) -> "Paste":
        """Returns the text for one phone.

        Args:
            url: The address of the gateway, without a slash at its end.
            key: An API key of the scope `phone`.
            phone: The name that this phone bears in the gateway.
        """
        values = {"url": url, "key": key, "phone": phone}
        if self.is_json:
            values = {
                name: json.dumps(value, ensure_ascii=False)[1:-1] for name, value in values.items()
            }
        return attrs.evolve(self, text=Template(self.text).substitute(values))


@attrs.frozen(kw_only=True)
class ForwardingApp:
    """An app, and the steps by which it forwards to a gateway."""

    slug: str
    """Names it in links."""
    name: str
    system: str
    """What it runs on."""
    about: str
    """What it is and where it comes from, in one sentence."""
    steps: tuple[str, ...]
    """What its owner does, in order. The texts to paste are needed where a step names a field."""
    pastes: tuple[Paste, ...]
    knows_repeats: bool
    """Whether an SMS that it sends again is recognised: it gives a date or an id of the SMS."""
    notes: tuple[str, ...] = ()
    """What its owner should know beside the steps."""

    def filled(self, *, url: str, key: str, phone: str) -> "ForwardingApp":
        """Returns it with the texts for one phone (see `Paste.filled`)."""
        pastes = tuple(paste.filled(url=url, key=key, phone=phone) for paste in self.pastes)
        return attrs.evolve(self, pastes=pastes)


_URL: Final = Paste(field="URL", text="$url/webhook")
_KEY: Final = Paste(field="Header X-Secret-Key", text="$key")

APPS: Final = (
    ForwardingApp(
        slug="income-webhook",
        name="Incoming SMS to URL forwarder",
        system="Android",
        about="A free app that does nothing else, also known as income-webhook "
        "(android_income_sms_gateway_webhook).",
        steps=(
            "Add a forwarding rule with the sender * for all.",
            "Paste the URL, the JSON template and the JSON headers.",
            "Leave chunked mode on. Without it the app announces a wrong length where a text has "
            "letters beyond ASCII.",
            "Save, and send the phone an SMS.",
        ),
        pastes=(
            _URL,
            Paste(
                field="JSON template",
                text='{"from":"%from%","text":"%text%","date":"%receivedStamp%","sim":"%sim%",'
                '"device_id":"$phone"}',
                is_json=True,
            ),
            Paste(field="JSON headers", text='{"X-Secret-Key":"$key"}', is_json=True),
        ),
        knows_repeats=True,
        notes=(
            "The app tries ten times, with longer and longer pauses. What the gateway did not take "
            "by then is lost, though it is still on the phone.",
        ),
    ),
    ForwardingApp(
        slug="smsforwarder",
        name="SmsForwarder",
        system="Android",
        about="A free app with many targets, of which Webhook is one.",
        steps=(
            "Add a sender of the kind Webhook with the method POST.",
            "Paste the URL, the request body and the header.",
            "Add a forwarding rule for all SMS with this sender.",
            "Set how often it tries again, and send the phone an SMS.",
        ),
        pastes=(
            _URL,
            Paste(
                field="Request body",
                text='{"from":"[from]","text":"[org_content]","sim":"[card_slot]",'
                '"id":"[receive_time:yyyyMMddHHmmssSSS]","device_id":"$phone"}',
                is_json=True,
            ),
            _KEY,
        ),
        knows_repeats=True,
        notes=(
            "Keep the body as JSON. In a form, the app cuts the text at every &.",
            "Don't use [timestamp] for the id: it is another one whenever the app tries again.",
            "The app takes any certificate, so that it can't tell your gateway from another.",
        ),
    ),
    ForwardingApp(
        slug="tasker",
        name="Tasker",
        system="Android",
        about="A paid app that automates a phone.",
        steps=(
            "Add a profile with the event Received Text, of the type Any.",
            "Add a task with the action HTTP Request and the method POST.",
            "Paste the URL, the headers (one a line) and the body.",
            "Send the phone an SMS.",
        ),
        pastes=(
            _URL,
            Paste(
                field="Headers",
                text="Content-Type:text/plain; charset=utf-8\nX-Secret-Key:$key\n"
                "X-Address:%SMSRF\nX-Date:%TIMEMS\nX-Device-Id:$phone",
            ),
            Paste(field="Body", text="%SMSRB"),
        ),
        knows_repeats=False,
        notes=(
            "Tasker puts texts in unescaped, so that they go as plain text and not as JSON.",
            "It does not try again: what comes while the gateway can't be reached stays on the "
            "phone alone.",
        ),
    ),
    ForwardingApp(
        slug="macrodroid",
        name="MacroDroid",
        system="Android",
        about="An app that automates a phone, free for a few macros.",
        steps=(
            "Add a macro with the trigger SMS Received, from any number.",
            "Add the action HTTP Request with the method POST and the content type text/plain.",
            "Paste the URL, the header parameters and the content body.",
            "Save the macro, and send the phone an SMS.",
        ),
        pastes=(
            _URL,
            _KEY,
            Paste(field="Header X-Address", text="{sms_number}"),
            Paste(field="Header X-Device-Id", text="$phone"),
            Paste(field="Content body", text="{sms_message}"),
        ),
        knows_repeats=False,
        notes=(
            "MacroDroid puts texts in unescaped, so that they go as plain text and not as JSON.",
            "Older versions write [sms_number] and [sms_message].",
        ),
    ),
    ForwardingApp(
        slug="automate",
        name="Automate",
        system="Android",
        about="An app by LlamaLab that automates a phone by flow charts, free for small ones.",
        steps=(
            "Begin a flow with the block SMS received. Assign the phone number to the variable "
            "from, the message to text and the time sent to sent.",
            "Lead on to the block HTTP request with the method POST and the content type "
            "application/json.",
            "Paste the URL, and as expressions the request headers and the request content.",
            "Lead back to SMS received, start the flow, and send the phone an SMS.",
        ),
        pastes=(
            _URL,
            Paste(field="Request headers", text='{"X-Secret-Key": "$key"}', is_json=True),
            Paste(
                field="Request content",
                text='jsonEncode({"from": from, "text": text, "date": sent, '
                '"device_id": "$phone"})',
                is_json=True,
            ),
        ),
        knows_repeats=True,
    ),
    ForwardingApp(
        slug="ios-shortcuts",
        name="Shortcuts",
        system="iPhone",
        about="It comes with iOS. From iOS 17 on, an automation runs by itself.",
        steps=(
            "In the app Shortcuts, tap Automation, then +, then Message. As Message Contains, type "
            "one space: it stands for nearly any message. Choose Run Immediately, and tap Next.",
            "Choose New Blank Automation, add the action Get Contents of URL, and paste the URL.",
            "Tap the arrow (Show More) of the action. As Method choose POST.",
            "Under Headers tap Add new header: as key X-Secret-Key, as text the key.",
            "As Request Body choose JSON. Tap Add new field, Text, three times: the key from with "
            "the value Shortcut Input (tap it, and choose Sender), the key text with the value "
            "Shortcut Input (choose Content), and the key device_id with the name of the phone.",
            "Tap Done, and send the phone an SMS.",
        ),
        pastes=(_URL, _KEY, Paste(field="Text field device_id", text="$phone")),
        knows_repeats=False,
        notes=(
            "The sender may be the name of a contact.",
            "People report that a space stands for any message. Apple does not document it.",
        ),
    ),
)
"""In the order in which they are offered: the first needs the least work."""
