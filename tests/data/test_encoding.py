import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftaught.data.encoding import Encoding, detect, in_lines

CHINESE = "这是一个很普通的中文句子，用来检查编码。\n" * 5
FRENCH = "Où est le garçon ? « Déjà là », répondit-elle.\n" * 5
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\n" * 20


@pytest.mark.parametrize(
    ("content", "codec"),
    [
        (b"plain\n", "utf-8"),
        (b"", "utf-8"),
        (CHINESE.encode(), "utf-8"),
        (CHINESE.encode("gb18030"), "gb18030"),
        (CHINESE.encode("gb18030") + FRENCH.encode(), "gb18030"),
        (FRENCH.encode("latin-1"), "cp1252"),
        ("“quoted” — here’s 5 €\n".encode("cp1252"), "cp1252"),
        (b"plain\n" * 1000 + b"caf\xe9\n", "utf-8"),
        (b"plain\n" * 1000 + b"caf\xe9\n" * 20, "cp1252"),
        (b"plain\n" * 1000 + b"\xfe\xff\x81\n" * 20, "utf-8"),
        ("你好，世界\n".encode("gb18030"), "gb18030"),
        (RUSSIAN.encode("koi8-r"), "koi8_r"),
        (("이것은 평범한 한국어 문장입니다.\n" * 9).encode("euc-kr"), "cp949"),
        ("plain text\n".encode("utf-16-le"), "utf-16-le"),
        ("plain text\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_the_codec_is_told_by_evidence(content: bytes, codec: str) -> None:
    assert detect([content]).codec == codec


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0\ufffd"), min_size=1))
@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_settles_it(codec: str, text: str) -> None:
    content = text.encode(codec)
    encoding = detect([content])
    chunks = (content[place : place + 7] for place in range(0, len(content), 7))
    assert b"".join(in_lines(chunks, encoding)).decode() == text
    assert str(encoding).endswith("with a byte order mark")


def test_old_mac_line_ends_become_line_ends() -> None:
    encoding = detect([b"one\rtwo\r"])
    assert encoding == Encoding("utf-8", newline="\r")
    assert b"".join(in_lines(iter([b"one\r", b"two\r"]), encoding)) == b"one\ntwo\n"
