"""What the baseline's endpoints take."""

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

MAX_MESSAGES = 500
"""Of one call."""

Number = Annotated[str, Field(pattern=r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8})$")]
Body = Annotated[str, Field(min_length=1, max_length=1600)]


class ReceivedSms(BaseModel):
    address: str = Field(min_length=1, max_length=64)
    body: str = Field(max_length=65_536)
    date: int | None = None
    sim_slot: int | None = None
    sim: str | None = None
    id: str | None = None


class Webhook(BaseModel):
    org_id: str = Field(pattern=r"^[A-Za-z0-9_-]{3,50}$")
    secret_key: str | None = Field(default=None, min_length=12, max_length=50)
    messages: list[ReceivedSms] = Field(min_length=1, max_length=MAX_MESSAGES)


class Item(BaseModel):
    to: Number
    body: Body
    sim: str | None = None


class Send(BaseModel):
    secret_key: str | None = None
    sim: str | None = None
    to: Number | None = None
    body: Body | None = None
    messages: list[Item] | None = Field(default=None, min_length=1, max_length=MAX_MESSAGES)

    @model_validator(mode="after")
    def one_form(self) -> "Send":
        if (self.messages is None) == (self.to is None or self.body is None):
            raise ValueError("give either to and body, or messages")
        return self

    def items(self) -> list[Item]:
        if self.messages is None:
            return [Item.model_construct(to=self.to, body=self.body, sim=self.sim)]
        for item in self.messages:
            item.sim = item.sim or self.sim
        return self.messages


class SmsSend(BaseModel):
    from_phone_number: Number
    to_phone_number: Number
    message: Body
