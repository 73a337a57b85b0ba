"""The endpoints of Twilio's API."""

from functools import partial
from typing import Final

from phonegate.api.dialect import Given
from phonegate.api.dialects.twilio import accounts, creation, media, messages, numbers
from phonegate.api.dialects.twilio.account import SUFFIX, TWILIO
from phonegate.api.dialects.twilio.errors import DELETE, UPDATE
from phonegate.api.dialects.twilio.fields import (
    TwilioFeedback,
    TwilioMessage,
    TwilioMessageChange,
    TwilioMessageList,
    TwilioNumberChange,
    TwilioNumberList,
    list_texts,
)
from phonegate.api.dialects.twilio.resources import BASE
from phonegate.api.dialects.wanted import SENDING_CODES
from phonegate.api.endpoint import Call, Endpoint, a_list
from phonegate.http.problem import JSON_MEDIA

_ACCOUNT: Final = f"{BASE}/{{account}}"
_MESSAGE: Final = f"{_ACCOUNT}/Messages/{{sid}}"

_endpoint: Final = partial(
    Endpoint,
    dialect=TWILIO,
    group=f"dialect: {TWILIO.name}",
    listed=False,
    answer=None,
    media=JSON_MEDIA,
)


def _both(path: str) -> tuple[str, ...]:
    """Returns the addresses of a list: Twilio's clients ask for JSON by the ending."""
    return f"{path}{SUFFIX}", path


def _half_a_page(call: Call) -> int:
    size: int = call.body.PageSize // 2
    return size


ENDPOINTS: Final = (
    _endpoint(
        name="twilio_create_message",
        method="POST",
        paths=_both(f"{_ACCOUNT}/Messages"),
        scope="send",
        sends=True,
        summary="Send a message as with Twilio",
        description="From one of the org's numbers, or by any SIM with MessagingServiceSid or a "
        "From that begins with MG. Its answer is Twilio's Message.",
        given=Given(type=TwilioMessage),
        statuses=(201,),
        error_codes=SENDING_CODES,
        idempotent=True,
        fast_path=True,
        handler=creation.create,
    ),
    _endpoint(
        name="twilio_list_messages",
        method="GET",
        paths=_both(f"{_ACCOUNT}/Messages"),
        scope="read",
        summary="List messages as with Twilio",
        description="The newest first. next_page_uri leads to the older ones, whatever comes "
        "meanwhile.",
        given=Given(type=TwilioMessageList, read=list_texts),
        size=_half_a_page,
        handler=messages.messages,
    ),
    _endpoint(
        name="twilio_get_message",
        method="GET",
        paths=(_MESSAGE,),
        scope="read",
        summary="Read a message as with Twilio",
        error_codes=("not_found",),
        handler=messages.message,
    ),
    _endpoint(
        name=UPDATE,
        method="POST",
        paths=(_MESSAGE,),
        scope="send",
        summary="Cancel or redact a message as with Twilio",
        description="Status=canceled withdraws a message that has not left. An empty Body takes "
        "the text of a finished one away, for good, which needs the scope manage.",
        given=Given(type=TwilioMessageChange),
        error_codes=("not_found", "conflict"),
        handler=messages.update,
    ),
    _endpoint(
        name=DELETE,
        method="DELETE",
        paths=(_MESSAGE,),
        scope="manage",
        summary="Delete a finished message as with Twilio",
        statuses=(204,),
        error_codes=("not_found", "conflict"),
        handler=messages.delete,
    ),
    _endpoint(
        name="twilio_message_feedback",
        method="POST",
        paths=_both(f"{_MESSAGE}/Feedback"),
        scope="read",
        summary="Give feedback on a message as with Twilio",
        description="It is taken, and changes nothing.",
        given=Given(type=TwilioFeedback),
        statuses=(201,),
        error_codes=("not_found",),
        handler=messages.feedback,
    ),
    _endpoint(
        name="twilio_list_media",
        method="GET",
        paths=_both(f"{_MESSAGE}/Media"),
        scope="read",
        summary="List the media of a message as with Twilio",
        error_codes=("not_found",),
        size=a_list,
        handler=media.media,
    ),
    _endpoint(
        name="twilio_get_media",
        method="GET",
        paths=(f"{_MESSAGE}/Media/{{media}}",),
        scope="read",
        summary="Read a part of a message as with Twilio",
        description="Described as JSON where the address ends in .json, and else the bytes.",
        error_codes=("not_found",),
        size=a_list,
        handler=media.medium,
    ),
    _endpoint(
        name="twilio_list_accounts",
        method="GET",
        paths=_both(BASE),
        scope="any",
        summary="List accounts as with Twilio",
        handler=accounts.accounts,
    ),
    _endpoint(
        name="twilio_get_account",
        method="GET",
        paths=(_ACCOUNT,),
        scope="any",
        summary="Read an account as with Twilio",
        error_codes=("not_found",),
        handler=accounts.account,
    ),
    _endpoint(
        name="twilio_get_balance",
        method="GET",
        paths=_both(f"{_ACCOUNT}/Balance"),
        scope="any",
        summary="Read a balance as with Twilio",
        description="It never changes.",
        error_codes=("not_found",),
        handler=accounts.balance,
    ),
    _endpoint(
        name="twilio_list_numbers",
        method="GET",
        paths=_both(f"{_ACCOUNT}/IncomingPhoneNumbers"),
        scope="read",
        summary="List the org's numbers as with Twilio",
        given=Given(type=TwilioNumberList),
        size=a_list,
        handler=numbers.numbers,
    ),
    _endpoint(
        name="twilio_get_number",
        method="GET",
        paths=(f"{_ACCOUNT}/IncomingPhoneNumbers/{{sid}}",),
        scope="read",
        summary="Read a number as with Twilio",
        error_codes=("not_found",),
        size=a_list,
        handler=numbers.number,
    ),
    _endpoint(
        name="twilio_update_number",
        method="POST",
        paths=(f"{_ACCOUNT}/IncomingPhoneNumbers/{{sid}}",),
        scope="manage",
        summary="Set a number's addresses as with Twilio",
        description="SmsUrl is called with each message that the number receives, StatusCallback "
        "with the states of those that it sends. Both are webhooks of shape twilio, signed by the "
        "token of this request.",
        given=Given(type=TwilioNumberChange),
        error_codes=("not_found", "address_refused", "org_full"),
        size=a_list,
        handler=numbers.update,
    ),
)
