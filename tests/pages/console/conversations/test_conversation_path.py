"""Whatever a party is called, its conversation has a path that browsers leave alone."""

from urllib.parse import unquote, urljoin, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from phonegate.pages.console.conversations.conversation_path import (
    address_of,
    address_path,
    conversation,
)

PARTIES = st.one_of(
    st.sampled_from(["", ".", "..", "+15551112222", "a/b", "BANK?x#y", "%20", "ä ö"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(
        lambda s: s.strip(" ")
    ),
)


@given(PARTIES)
def test_a_party_comes_back_from_its_path(party: str) -> None:
    part = address_path(party)
    assert "/" not in part
    assert address_of(unquote(part)) == party
    # As a browser resolves it: a single dot would be taken for the folder itself.
    resolved = urlsplit(urljoin("http://gate.lan/console/", f".{conversation(party)}")).path
    assert resolved == f"/console{conversation(party)}"
