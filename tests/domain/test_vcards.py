"""vCards as phones and programs write them."""

import quopri

from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.line_problems import LineProblem
from phonegate.domain.vcards import NO_CARDS, Read, is_vcard, read_vcards, write_vcards
from phonegate.model.contacts import Contact

# An export of Android's old address book, of an iPhone, and of Google's and Nextcloud's.
ANDROID = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\n"
    "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4D=C3=BC=6C=6C=65=72;=4A=C3=B6=72=67;;;\r\n"
    "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4A=C3=B6=72=67=20=\r\n=4D=C3=BC=6C=6C=65=72\r\n"
    "TEL;CELL;PREF:0171-5550001\r\nTEL;WORK;VOICE:+49 30 555 0002\r\n"
    "PHOTO;ENCODING=BASE64;JPEG:/9j/4AAQSkZJRgABAQ\r\n /2wBDAAMCAgMCAgMDAwMEAwMEBQgFB\r\n\r\n"
    "END:VCARD\r\n"
)
IPHONE = (
    "BEGIN:VCARD\nVERSION:3.0\nN:Doe;Jane;;Dr.;\nFN:Dr. Jane Doe\nitem1.TEL;type=CELL;type=VOICE;"
    "type=pref:+1 (555) 000-0003\nitem1.X-ABLabel:_$!<Other>!$_\nTEL;type=IPHONE:+15550000004\n"
    "NOTE:A\\, long\n  note: with TEL:1\nEND:VCARD\n"
)
NEXTCLOUD = (
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Firma\\; Söhne\\, Co\r\n"
    'TEL;VALUE=uri;TYPE="voice,home":tel:+1-555-000-0005\r\n'
    "TEL;TYPE=fax:+15550000006\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nN:Only;Family;Middle,Name;;\r\nTEL:1234\r\nEND:VCARD\r\n"
    "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:No number\r\nEND:VCARD\r\n"
)


def test_cards_of_old_androids_are_read() -> None:
    assert read_vcards(ANDROID).numbers == (
        Read(line=6, name="Jörg Müller", number="0171-5550001", label="mobile"),
        Read(line=7, name="Jörg Müller", number="+49 30 555 0002", label="work"),
    )


def test_cards_of_iphones_are_read() -> None:
    assert [(one.name, one.number, one.label) for one in read_vcards(IPHONE).numbers] == [
        ("Dr. Jane Doe", "+1 (555) 000-0003", "mobile"),
        ("Dr. Jane Doe", "+15550000004", "mobile"),
    ]


def test_cards_of_version_4_are_read() -> None:
    read = read_vcards(NEXTCLOUD)
    assert [(one.name, one.number, one.label) for one in read.numbers] == [
        ("Firma; Söhne, Co", "tel:+1-555-000-0005", "home"),
        ("Firma; Söhne, Co", "+15550000006", "fax"),
        ("Family Middle,Name Only", "1234", ""),
    ]
    assert (read.cards, read.problems) == (3, ())


def test_what_is_wrong_is_said_by_line() -> None:
    text = "BEGIN:VCARD\nTEL:1\nEND:VCARD\nBEGIN:VCARD\nFN:A\nTEL:+15550000001\n"
    read = read_vcards(text)
    assert [one.number for one in read.numbers] == ["+15550000001"]
    assert [(one.line, "name" in one.problem or "END" in one.problem) for one in read.problems] == [
        (1, True),
        (4, True),
    ]
    assert read_vcards("name,number\n").problems == (LineProblem(0, NO_CARDS),)


def test_an_agent_is_a_card_of_its_own() -> None:
    text = "BEGIN:VCARD\nFN:A\nTEL:1111\nAGENT:\nBEGIN:VCARD\nFN:B\nTEL:2222\nEND:VCARD\nEND:VCARD"
    assert [(one.name, one.number) for one in read_vcards(text).numbers] == [
        ("A", "1111"),
        ("B", "2222"),
    ]


def test_other_character_sets_are_read_where_they_are_named() -> None:
    word = quopri.encodestring("Ångström".encode("latin-1")).decode()
    text = (
        f"BEGIN:VCARD\nFN;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:{word}\n"
        "TEL:1111\nFN;CHARSET=nothing;QUOTED-PRINTABLE:x\nEND:VCARD"
    )
    assert [one.name for one in read_vcards(text).numbers] == ["Ångström"]


LINE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1)
NAMES = LINE.map(lambda text: " ".join(text.split())).filter(bool)
CONTACTS = st.builds(
    Contact,
    number=st.from_regex(r"\+[1-9][0-9]{6,13}", fullmatch=True),
    name=NAMES,
    label=st.sampled_from(["", "mobile", "home", "work", "main", "car"]),
)


@given(st.lists(CONTACTS))
def test_what_was_written_is_read_again(contacts: list[Contact]) -> None:
    text = write_vcards(contacts)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    read = read_vcards(text)
    assert [
        Contact(number=one.number, name=one.name, label=one.label) for one in read.numbers
    ] == contacts
    assert is_vcard(text) == bool(contacts)
    assert text.count("BEGIN:VCARD\r\n") == text.count("END:VCARD\r\n")


PIECES = st.sampled_from(
    [
        "BEGIN:VCARD",
        "END:VCARD",
        "FN:A",
        "TEL:1",
        "TEL;",
        ":",
        "\r\n",
        "\n ",
        "=",
        "=\n",
        '"',
        ";",
        "N:;;;",
        "CHARSET=utf-7",
        "\\",
        "AGENT:",
        "\u2028",
        "FN;ENCODING=QUOTED-PRINTABLE:=C3=",
    ]
)


@given(st.lists(PIECES | st.text(max_size=5)).map("".join))
def test_no_text_breaks_the_reader(text: str) -> None:
    read = read_vcards("BEGIN:VCARD\n" + text)
    assert all(one.name and one.number for one in read.numbers)


def test_a_line_of_megabytes_is_passed_over() -> None:
    card = f"BEGIN:VCARD\nFN:Ann\nTEL{';A=b' * 5_000}:+15550000001\nTEL:+15550000002\nEND:VCARD\n"
    assert [one.number for one in read_vcards(card).numbers] == ["+15550000002"]
