"""Languages, quality rules, near copies and evaluation sets: what each says of texts that were written for it."""

import random

import numpy as np
import pytest

from selftaught.corpus.held_out import HeldOut
from selftaught.corpus.language import language
from selftaught.corpus.minhash import band_keys, signature
from selftaught.corpus.quality import RULES, broken_rule
from selftaught.corpus.reading import Reading

ENGLISH = (
    "The old harbour lay quiet under the morning fog, and nobody had yet opened the shutters of the inn. "
    "A boy who was sent for bread walked along the quay with his hands in his pockets, whistling. "
    "When he came to the lighthouse he stopped, for there was a ship that he had never seen before. "
    "It had no flag, and its sails were of a dark red that looked black in the grey light of the day. "
)
CHINESE = (
    "清晨的港口还笼罩在薄雾之中，客栈的窗户都没有打开。一个被派去买面包的男孩沿着码头走来，双手插在口袋里，吹着口哨。"
    "他走到灯塔下面的时候停住了脚步，因为那里停着一艘他从来没有见过的船。船上没有旗帜，帆是暗红色的，在灰色的晨光里看起来像是黑色。"
)
OTHERS = [
    "Der alte Hafen lag still im Morgennebel, und niemand hatte bisher die Läden des Gasthauses geöffnet. Ein Junge, "
    "der Brot holen sollte, ging am Kai entlang, die Hände in den Taschen, und pfiff vor sich hin.",
    "Le vieux port dormait encore dans la brume du matin et personne n'avait ouvert les volets de l'auberge. Un garçon "
    "que l'on avait envoyé chercher du pain marchait le long du quai, les mains dans les poches.",
    "El viejo puerto estaba en silencio bajo la niebla de la mañana y nadie había abierto todavía las ventanas de la "
    "posada. Un niño que iba por pan caminaba por el muelle con las manos en los bolsillos.",
    "De oude haven was stil in de ochtendmist en niemand had de luiken van de herberg al geopend. Een jongen die brood "
    "moest halen liep langs de kade met zijn handen in zijn zakken, en hij was aan het fluiten.",
    "朝の港はまだ霧に包まれていて、宿屋の窓は閉まったままだった。パンを買いに行かされた少年が、口笛を吹きながら岸壁を歩いてきた。",
    "Старая гавань лежала тихо в утреннем тумане, и никто ещё не открыл ставни гостиницы.",
    "오래된 항구는 아침 안개 속에 조용히 누워 있었고 아무도 아직 여관의 덧문을 열지 않았다.",
    "1234 5678 !!!",
]


def test_english_and_chinese_are_told_from_all_else() -> None:
    assert language(Reading(ENGLISH)) == "en"
    assert language(Reading(CHINESE)) == "zh"
    assert {language(Reading(text)) for text in OTHERS} == {"other"}


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_prose_breaks_no_rule(text: str) -> None:
    assert broken_rule(Reading(text), tuple(RULES)) == ""


def prose(words: int) -> str:
    """Sentences of words that are drawn, so that nothing repeats."""
    drawn = random.Random(words)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return " ".join(
        "the" if i % 7 == 0 else "of" if i % 11 == 0 else "".join(drawn.choices(letters, k=5)) for i in range(words)
    )


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("too short", "The end of it."),
        ("word length", "the of " + " ".join("abcdefghijkl" + chr(97 + i % 26) for i in range(80))),
        ("symbols", prose(100) + " #" * 12 + "."),
        ("bullets", "\n".join(f"- {prose(60 + i)}." for i in range(10))),
        ("ellipses", "\n".join(f"{prose(60 + i)}" + ("…" if i % 2 else ".") for i in range(10))),
        ("letters", prose(60) + " " + " ".join(str(i) for i in range(1000, 1040)) + "."),
        ("stop words", prose(100).replace("the", "xyz").replace("of", "qrs") + "."),
        ("line ends", "\n".join(prose(20 + i) for i in range(10))),
        ("short lines", "\n".join(f"{prose(4 + i % 2)}." for i in range(60))),
        ("list", "\n".join([*(f"Item{i}." for i in range(60)), f"{prose(60)}."])),
        ("lorem ipsum", prose(80) + " Lorem ipsum."),
        ("braces", prose(80) + " {a} {b}."),
        ("repeated lines", "\n".join([f"{prose(40)}."] * 2)),
        ("top run", " ".join(f"{word} buy now cheap watches here." for word in prose(60).split()[1::3])),
        ("repeated runs", ". ".join([prose(60), prose(61), prose(60), prose(62)]) + "."),
        ("repeated runs", CHINESE + "而且" + CHINESE),
    ],
)
def test_each_rule_drops_what_it_is_for(rule: str, text: str) -> None:
    assert RULES[rule](Reading(text)), rule


def test_near_copies_are_found_and_others_are_not() -> None:
    """One text and variants of it: the share of those that are found follows from the similarity."""
    words = prose(400).split()
    drawn = random.Random(0)

    def changed(many: int) -> Reading:
        copy = list(words)
        for place in drawn.sample(range(len(copy)), many):
            copy[place] = "changed"
        return Reading(" ".join(copy))

    def found(readings: list[Reading]) -> float:
        keys = band_keys(np.stack([signature(Reading(" ".join(words))), *map(signature, readings)]))
        return float(np.mean(np.any(keys[1:] == keys[0], axis=1)))

    assert found([changed(4) for _ in range(40)]) == 1.0  # Jaccard 0.9
    assert 0.0 < found([changed(16) for _ in range(60)]) < 1.0  # 0.67
    assert found([changed(100) for _ in range(60)]) == 0.0  # 0.17
    assert found([Reading(prose(300 + i)) for i in range(60)]) == 0.0
    assert found([Reading(" ".join(words).upper().replace(" ", ",  "))]) == 1.0  # the same words


def test_the_share_of_equal_hashes_is_the_similarity() -> None:
    words = prose(2000).split()
    one = signature(Reading(" ".join(words[:1500])))
    other = signature(Reading(" ".join(words[500:])))
    assert abs(float(np.mean(one == other)) - 0.5) < 0.15  # 112 hashes: a standard deviation of 0.047


def test_documents_that_hold_rows_of_an_evaluation_set() -> None:
    long, short, chinese = " ".join(prose(40).split()), "the quick Brown fox jumps", CHINESE[:60]
    held = HeldOut.of([long, short, chinese, "too few"])
    words = long.split()
    assert held.row_in(Reading("x " + " ".join(words[10:23]) + " y")) == 0
    assert held.row_in(Reading("x " + " ".join(words[10:22]) + " y")) is None
    assert held.row_in(Reading("So THE QUICK brown  fox, jumps!")) == 1
    assert held.row_in(Reading("the quick brown fox leaps")) is None
    assert held.row_in(Reading("前言" + CHINESE[10:50])) == 2
    assert held.row_in(Reading("too few")) is None
    assert HeldOut.of([]).row_in(Reading(long)) is None
    assert held.row_in(Reading("")) is None
