"""Errors of requests in the words that the callers of their endpoints know. Pure."""

import attrs

from phonegate.api.dialect_errors import in_dialect
from phonegate.api.endpoint import Answer, Endpoint
from phonegate.api.exchange import Exchange


def in_words_of(endpoint: Endpoint, answer: Answer, exchange: Exchange) -> Answer:
    """Returns an error of a request in the words that the callers of its endpoint know.

    Args:
        endpoint: The endpoint.
        answer: The error as the gateway's own API answers it.
        exchange: The request.
    """
    if endpoint.dialect is not None:
        given = exchange.body if endpoint.given is not None and exchange.body else exchange.query
        return in_dialect(answer, endpoint.dialect, exchange.request, endpoint.name, given)
    if endpoint.word is not None:
        return endpoint.word(answer)
    if endpoint.detail_too is None:
        return answer
    named = {**answer.content, endpoint.detail_too: answer.content["detail"]}
    return attrs.evolve(answer, content=named)
