# ruff: noqa: RUF001 - texts of many scripts
"""One-time codes in texts as services write them, and texts that hold none."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.one_time_codes import HIDDEN, MOST_LOOKED_AT, without_codes

PERSON = "+15553334444"

CODES = [
    ("493021 is your Example verification code.", "493021"),
    ("G-493021 is your Example verification code.", "493021"),
    ("Your Example code is 493-021. Don't share it.", "493-021"),
    ("Use 493 021 to sign in. It is valid for 10min.", "493 021"),
    ("Your one-time PIN: 4930", "4930"),
    ("OTP for txn of EUR 12.50 at Shop: 493021. Not you? Call 08001234567", "493021"),
    ("2FA 4930214", "4930214"),
    ("<#> 493021 opens ExampleApp\nFA+9qCX9VSu", "493021"),
    ("Sign in with this.\n\n@shop.example #493021", "493021"),
    ("Sign in with this.\n\n@shop.example #qWxYz", "qWxYz"),
    ("Your password reset: https://shop.example/r/AbCdEf", "AbCdEf"),
    ("Log in at shop.example/l/AbCdEf today", "AbCdEf"),
    ("Your code: QWERTY", "QWERTY"),
    ("Your code is A1B2C3", "A1B2C3"),
    ("Activation code WX4-7Q9", "WX4-7Q9"),
    ("Your code 4 9 3 0 2 1", "4 9 3 0 2 1"),
    ("Your code 493\u200b021", "493\u200b021"),
    ("Ihr Bestätigungscode lautet 493021.", "493021"),
    ("mTAN 493021 für die Überweisung an DE00", "493021"),
    ("Ihr Einmalpasswort: 493021", "493021"),
    ("Votre code de vérification est le 493021", "493021"),
    ("Votre mot de passe à usage unique : 493021", "493021"),
    ("Tu código es 493021", "493021"),
    ("Su clave dinámica es 493021", "493021"),
    ("Seu código de verificação: 493021", "493021"),
    ("Sua senha temporária é 493021", "493021"),
    ("Il tuo codice è 493021", "493021"),
    ("Je inlogcode is 493021", "493021"),
    ("Twój kod: 493021", "493021"),
    ("Jednorazowe hasło 493021", "493021"),
    ("Váš ověřovací kód je 493021", "493021"),
    ("Az Ön kódja: 493021", "493021"),
    ("Codul tău este 493021", "493021"),
    ("Din kod är 493021", "493021"),
    ("Din engangskode er 493021", "493021"),
    ("Vahvistuskoodisi on 493021", "493021"),
    ("Sinu kood on 493021", "493021"),
    ("Jūsų kodas 493021", "493021"),
    ("Doğrulama kodunuz 493021", "493021"),
    ("ŞİFRENİZ 493021", "493021"),
    ("Kode rahasia 493021", "493021"),
    ("Mã xác thực của bạn là 493021", "493021"),
    ("Ваш код 493021", "493021"),
    ("Пароль: 493021", "493021"),
    ("Ваш код підтвердження: 493021", "493021"),
    ("Ο κωδικός σας είναι 493021", "493021"),
    ("رمز التحقق الخاص بك هو ٤٩٣٠٢١", "٤٩٣٠٢١"),
    ("کد تایید شما: ۴۹۳۰۲۱", "۴۹۳۰۲۱"),
    ("קוד האימות שלך הוא 493021", "493021"),
    ("आपका ओटीपी 493021 है", "493021"),
    ("आपका कोड ४९३०२१ है", "४९३०२१"),
    ("আপনার কোড 493021", "493021"),
    ("รหัสยืนยันของคุณคือ 493021", "493021"),
    ("【示例】您的验证码是493021，请勿告诉他人。", "493021"),
    ("您的驗證碼為４９３０２１", "４９３０２１"),
    ("認証コードは493021です", "493021"),
    ("[예제] 인증번호 493021 를 입력하세요", "493021"),
    ("თქვენი კოდია 493021", "493021"),
    ("Ձեր կոդը՝ 493021", "493021"),
    ("Msimbo wako ni 493021", "493021"),
    ("493021", "493021"),
    ("  G-493021 ", "493021"),
    # Words for codes that are written in other ways.
    ("Your token is 493021", "493021"),
    ("Su token es 493021", "493021"),
    ("Seu token: 493021", "493021"),
    ("smsTAN: 493021", "493021"),
    ("Ihre pushTAN lautet 493021", "493021"),
    ("Ihre phototan 493021", "493021"),
    ("Su NIP es 4930", "4930"),
    ("Enter 493021 to confirm your order", "493021"),
    ("Use 493021 to continue", "493021"),
    ("Bitte 493021 eingeben, Bestätigung folgt", "493021"),
    ("signin 493021", "493021"),
    ("Geheimzahl 4930", "4930"),
    ("WhatsApp 493-021", "493-021"),
    ("493021 is yours. Do not share it.", "493021"),
    # Letters alone.
    ("code:abcdef", "abcdef"),
    ("your code: kQzRtb", "kQzRtb"),
    ("Your code is\nkqzrtb", "kqzrtb"),
    ("code is: “abcd-efgh”", "abcd-efgh"),
    ("password is correcthorse", "correcthorse"),
    ("Dein Passwort lautet correcthorse", "correcthorse"),
    ("Tu contraseña es correcthorse", "correcthorse"),
    ("Пароль: лошадка", "лошадка"),
    ("您的密码：kqzrtb", "kqzrtb"),
    ("kqzrtb is your verification code", "kqzrtb"),
    # However its digits are written.
    ("code 4_9_3_0_2_1", "4_9_3_0_2_1"),
    ("code 4/9/3/0/2/1", "4/9/3/0/2/1"),
    ("code 4, 9, 3, 0, 2, 1", "4, 9, 3, 0, 2, 1"),
    ("code 4  -  9  -  3  -  0", "4  -  9  -  3  -  0"),
    ("code 49\n30\n21", "49\n30\n21"),
    ("code ④⑨③⓪", "④⑨③⓪"),
    ("code ⁴⁹³⁰", "⁴⁹³⁰"),
    ("code 4\ufe0f\u20e39\ufe0f\u20e33\ufe0f\u20e30\ufe0f\u20e3", "9\ufe0f"),
    ("code 123456789", "123456789"),
    ("code 49-30-21-00-99", "49-30-21-00-99"),
    ("code A1-b2-c3", "A1-b2-c3"),
    ("code A1b2-c3", "c3"),
    ("code a1b2c3d4e5f6g7", "a1b2c3d4e5f6g7"),
    ("Sign in: example.com:8080/l/AbCdEf", "AbCdEf"),
]

PLAIN = [
    "Meet you at 1830, table 4411.",
    "I paid 1250 for it, and the shop takes 2000 back",
    "Call me on +15551234567",
    "https://maps.example/place/12345",
    "ok",
    "",
    "We are 3 + 2",
    "My flight LH4411 lands at 18:30, gate A12. Room 2204-b",
    "Stan flies to Kazakhstan on 12.05.2027, seat 1234",
    "I'm on +1 (555) 123-4567 till 5/6/7/8",
    "What is this: kQzRtb? It is fine.",
    "What is your code for the server?",
    "Password is required, the code is valid for ten minutes",
]


@pytest.mark.parametrize(("text", "code"), CODES, ids=[text[:30] for text, _ in CODES])
def test_a_code_is_blanked(text: str, code: str) -> None:
    for sender in (PERSON, "Example", "12345"):
        shown = without_codes(sender, text)
        assert code not in shown
        assert HIDDEN in shown
        assert without_codes(sender, shown) == shown


@pytest.mark.parametrize("text", PLAIN)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert without_codes(PERSON, text) == text
    assert without_codes("0170 123 45-67", text) == text


@pytest.mark.parametrize("sender", ["BANK", "Example 24", "493021", "service@example.org", "+49"])
def test_a_sender_that_is_no_phone_number_may_always_send_one(sender: str) -> None:
    assert without_codes(sender, "Welcome back: 4930 21") == f"Welcome back: {HIDDEN}"


def test_what_is_no_code_of_a_service_s_text_stays() -> None:
    text = "Order 12 is on its way, in 24hrs at most. Questions: +4915112345678."
    assert without_codes("Shop", text) == text


texts = st.text(
    st.sampled_from("0123456789٤ ab.-ZQ:/@#é\u0301\u200b码")
    | st.characters(exclude_categories=["Cs"])
)


@settings(max_examples=200)
@given(st.sampled_from((PERSON, "BANK")), texts, st.sampled_from(("", "code ", "验证码", "x ")))
def test_no_group_of_digits_is_left_and_twice_is_once(sender: str, text: str, word: str) -> None:
    body = word + text
    shown = without_codes(sender, body)
    assert without_codes(sender, shown) == shown
    if sender == "BANK" or word in {"code ", "验证码"}:
        assert not re.search(r"(?<!\d)\d{4,8}(?!\d)", shown)


@settings(max_examples=60)
@given(st.from_regex(r"[0-9]{4,8}", fullmatch=True), texts, texts)
def test_a_code_in_a_service_s_text_never_shows(code: str, before: str, after: str) -> None:
    shown = without_codes("BANK", f"{before} {code} {after}")
    assert not re.search(rf"(?<!\d){code}(?!\d)", shown)


@given(st.text(st.characters(categories=["Ll", "Zs"]), max_size=50))
def test_a_text_of_small_letters_stays(text: str) -> None:
    assert without_codes(PERSON, text) == without_codes("BANK", text) == text


@pytest.mark.parametrize(
    "piece",
    [
        *("1 ", "a.", "a", "A-", "1-A", "@a ", "https://", "1a", "\u0345", ": ", "é", "is "),
        *("a--", "1--", "a_", "code", "code ", "code:", "code is ", "-", "1     ", "④,", "a is "),
        *("use ", "tan", "TAN", "is your ", " ", "a.b:1"),
    ],
)
def test_the_longest_text_takes_no_more_steps_than_it_is_long(piece: str) -> None:
    """Nothing here grows with the square of a text: that would take minutes."""
    body = "code " + piece * (65_536 // len(piece))
    assert without_codes(PERSON, body) is not None


def test_of_a_long_text_only_numbers_are_blanked() -> None:
    text = "x " * MOST_LOOKED_AT + "code: abcdef, 493021, 493 021, 12 of 34."
    shown = f"code: abcdef, {HIDDEN}, {HIDDEN}, 12 of 34."
    assert without_codes("BANK", text).endswith(shown)
