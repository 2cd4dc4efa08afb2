"""Personal numbers and addresses: found in both languages' forms, and only where the check digit is right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.corpus.personal import is_card, is_resident_id, without_personal

RESIDENT = "11010519491231002X"  # the example of GB 11643-1999
CARD = "4111111111111111"  # a card of those that shops test with


def with_check_character(body: str) -> str:
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(body))
    return body + "0123456789X"[(12 - total % 11) % 11]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to jane.doe+news@mail.example.co.uk today.", "e-mail"),
        ("请发邮件至zhang＠example．com联系", "e-mail"),
        (f"身份证号：{RESIDENT}。", "id"),
        ("身份证１１０１０５１９４９１２３１００２Ｘ", "id"),
        ("SSN 219-09-9999.", "id"),
        (f"card {CARD}, thanks", "card"),
        ("card 4111 1111 1111 1111", "card"),
        ("银行卡号6222021234567890128", "card"),
        ("Call (212) 555-0123 now", "phone"),
        ("Call +1 212-555-0123 now", "phone"),
        ("ring 020 7946 0958 or not", "phone"),
        ("Tel. +49 30 901820", "phone"),
        ("手机13812345678，微信同号", "phone"),
        ("手机：+86 138-1234-5678", "phone"),
        ("电话010-62345678", "phone"),
        ("电话（０１０）６２３４５６７８", "phone"),
    ],
)
def test_one_of_each_form(text: str, kind: str) -> None:
    cleaned, found = without_personal(text)
    assert found == {kind: 1}
    assert "[" in cleaned
    assert sum(character.isdigit() for character in cleaned) == 0
    assert without_personal(cleaned) == (cleaned, {})


@pytest.mark.parametrize(
    "text",
    [
        "In 1914-1918, 65 million men; page 12-13.",
        "Pi is 3.14159265358979 and 2026-11-29 is a day.",
        "ISBN 978-0-306-40615-7",
        "第123456789012条",
        "user@localhost and @handle",
        "the 10000000000000 stars, 12345678901",
        "4111111111111112",
        "11010519491231002" + "1",
        "110105194913310029",
        "version 1.2.3.4-555 build 20261129",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert without_personal(text) == (text, {})


@given(st.text("0123456789", min_size=12, max_size=18), st.sampled_from("456"), st.integers(1, 9))
def test_of_cards_only_the_right_check_digit_passes(body: str, first: str, wrong: int) -> None:
    body = first + body[1:]
    right = [digit for digit in "0123456789" if is_card(body + digit)]
    assert len(right) == 1 or len(set(body)) == 1
    for digit in right:
        other = str((int(digit) + wrong) % 10)
        assert not is_card(body + other)
        assert without_personal(f"no {body}{digit}.")[1]["card"] == 1
        assert without_personal(f"no {body}{other}.")[1]["card"] == 0


@given(st.dates(), st.sampled_from(["11", "31", "44", "65"]), st.integers(0, 9999), st.integers(0, 999), st.data())
def test_of_resident_ids_only_the_right_check_character_passes(
    day: object, province: str, district: int, order: int, data: st.DataObject
) -> None:
    body = f"{province}{district:04d}{str(day).replace('-', '')}{order:03d}"
    number = with_check_character(body)
    wrong = body + data.draw(st.sampled_from([c for c in "0123456789X" if c != number[-1]]))
    assert is_resident_id(number) == (int(str(day)[:4]) >= 1800)
    assert not is_resident_id(wrong)
    assert without_personal(f"号{wrong}。")[1]["id"] == 0


@given(st.text())
def test_any_text_goes_in_and_nothing_but_marks_comes_to_it(text: str) -> None:
    cleaned, found = without_personal(text)
    assert (cleaned == text) == (not found)
