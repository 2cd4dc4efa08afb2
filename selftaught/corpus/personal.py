"""Personal numbers and addresses in English and Chinese text, found by form and check digit, and put out of sight.

Whatever has a check digit is removed only if it is right: a part number of sixteen digits stays. Full-width digits and
signs count as narrow ones. Values go nowhere: what is found is replaced and counted.
"""

import re
from collections import Counter
from datetime import date

KINDS = ("e-mail", "id", "card", "phone")
MARKS = {"e-mail": "[EMAIL]", "id": "[ID]", "card": "[CARD]", "phone": "[PHONE]"}

_NARROW: dict[int, int] = {0xFF10 + i: ord("0") + i for i in range(10)} | {
    **{ord(wide): ord(narrow) for wide, narrow in zip("＠．－（）＋　—–‑", "@.-()+ ---", strict=True)},
    **{0xFF21 + i: ord("A") + i for i in range(26)},
    **{0xFF41 + i: ord("a") + i for i in range(26)},
}  # one character each: places stay what they are
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
)
_NUMBER = r"(?<![0-9A-Za-z.])(?<![0-9][-/])"  # not within a longer number, a code or a decimal
_END = r"(?![0-9A-Za-z])(?![-/.][0-9])"
_RESIDENT = re.compile(_NUMBER + r"[1-9][0-9]{16}[0-9Xx]" + _END)
_SOCIAL = re.compile(_NUMBER + r"(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}" + _END)
_CARD = re.compile(_NUMBER + r"[2-6][0-9]{3}(?:([ -]?)[0-9]{4,6}(?:\1[0-9]{4,6})?\1[0-9]{3,7}|[0-9]{9,15})" + _END)
_FREE = r"(?<![0-9A-Za-z])"
_PHONES = tuple(
    re.compile(_FREE + pattern + _END)
    for pattern in (
        # China: mobile, landline
        r"(?:(?:\+|00)?86[ -]?)?1[3-9][0-9](?:[0-9]{8}|[ -][0-9]{4}[ -][0-9]{4})",
        r"(?:\+86[ -]?|\(?0)(?:10|2[0-9]|[3-9][0-9]{2})\)?[ -]?[1-9][0-9]{6,7}",
        # North America, Britain, anywhere (ITU-T E.164)
        r"(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])[2-9][0-9]{2}[ .-][0-9]{4}",
        r"(?:\+44 ?(?:\(0\))?|0)(?:7[0-9]{3} ?[0-9]{6}|20 ?[378][0-9]{3} ?[0-9]{4}|1[0-9]{3} [0-9]{6})",
        r"\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,4}\)?){2,5}",
    )
)
_PROVINCES = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
    83,
}
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_E164 = range(8, 16)  # digits, with the country's


def without_personal(text: str) -> tuple[str, Counter[str]]:
    """The text with a mark in the place of each e-mail address, ID, card and phone number, and how many of each."""
    narrow = text if text.isascii() else text.translate(_NARROW)
    found: list[tuple[int, int, str]] = []
    if "@" in narrow:
        found += [(*match.span(), "e-mail") for match in _EMAIL.finditer(narrow)]
    if _has_digits(narrow):
        found += [(*m.span(), "id") for m in _RESIDENT.finditer(narrow) if is_resident_id(m[0])]
        found += [(*m.span(), "id") for m in _SOCIAL.finditer(narrow)]
        found += [(*m.span(), "card") for m in _CARD.finditer(narrow) if is_card(m[0])]
        for pattern in _PHONES:
            found += [(*m.span(), "phone") for m in pattern.finditer(narrow) if _is_long(m[0])]
    if not found:
        return text, Counter()
    found.sort(key=lambda one: (KINDS.index(one[2]), one[0], -one[1]))
    taken: list[tuple[int, int, str]] = []
    covered = bytearray(len(narrow))
    for begin, end, kind in found:  # an address and a checked number win over what is a phone number by form only
        if not any(covered[begin:end]):
            taken.append((begin, end, kind))
            covered[begin:end] = b"\1" * (end - begin)
    taken.sort()
    parts, at = [], 0
    for begin, end, kind in taken:
        parts += [text[at:begin], MARKS[kind]]
        at = end
    return "".join([*parts, text[at:]]), Counter(kind for _, _, kind in taken)


def is_resident_id(number: str) -> bool:
    """Whether 18 characters can be a Chinese resident ID: province, day of birth, check character (GB 11643-1999)."""
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9Xx]", number) or int(number[:2]) not in _PROVINCES:
        return False
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return int(number[6:10]) >= 1800 and "10X98765432"[total % 11] == number[17].upper()


def is_card(number: str) -> bool:
    """Whether 13 to 19 digits, perhaps grouped, pass Luhn's check (ISO/IEC 7812)."""
    digits = [int(character) for character in number if character.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[::-2])) % 10 == 0


def _is_long(number: str) -> bool:
    digits = sum(character.isdigit() for character in number)
    return digits in _E164


def _has_digits(text: str) -> bool:
    return re.search(r"[0-9][0-9 ()./-]{5}", text) is not None
