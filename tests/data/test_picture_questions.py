"""Questions about pictures: the files of the field, and what happens to rows that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from selftaught.data.examples import Columns
from selftaught.data.picture_question_files import read_picture_questions
from selftaught.data.picture_questions import questions_about
from selftaught.errors import SelftaughtError
from selftaught.metrics.picture_answers import agreement, commonest_for_question, of_nearest_picture


def draw(file: Path, colour: str = "red") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(file)


def write(file: Path, content: Any) -> Path:
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def told(examples: Any) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(Path(e.picture).name, e.question, e.answers) for e in examples.examples]


def why(examples: Any) -> list[tuple[int, str]]:
    return [(record.line, record.why) for record in examples.tally.records]


def test_the_files_of_easy_vqa(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "0.png")
    draw(tmp_path / "images" / "12.png")
    draw(tmp_path / "others" / "12.png")
    (tmp_path / "images" / "3.png").write_bytes(b"no picture")
    rows = [["what is it?", "circle", 0], ["is it red?", "yes", 12], ["what?", "no", 7], ["what?", "no", 3]]
    file = write(tmp_path / "questions.json", [*rows, ["", "no", 0], ["what?", "", 0], ["what?", "no"], 5])
    found = read_picture_questions(file, Columns())
    assert told(found) == [("0.png", "what is it?", ("circle",)), ("12.png", "is it red?", ("yes",))]
    assert [line for line, _ in why(found)] == [3, 4, 5, 6, 7, 8]
    assert found.tally.rows == 8
    reasons = [reason for _, reason in why(found)]
    assert "there is no picture called 7" in reasons[0]
    assert "is no picture that can be read" in reasons[1]
    assert reasons[2:4] == ["column 'question' is empty", "column 'answer' is empty"]
    assert reasons[4] == reasons[5] == "is not [question, answer, picture]"
    assert told(read_picture_questions(tmp_path, Columns())) == told(found)


def test_the_pair_of_files_of_vqa(tmp_path: Path) -> None:
    draw(tmp_path / "train2014" / "COCO_train2014_000000000009.jpg")
    draw(tmp_path / "val2014" / "COCO_val2014_000000000009.jpg")
    asked = [{"image_id": 9, "question": f"what {n}?", "question_id": n} for n in (1, 2)]
    asked.append({"image_id": 10, "question": "what 3?", "question_id": 3})
    questions = {"data_subtype": "train2014", "questions": asked}
    answers = [{"answer": text, "answer_confidence": "yes", "answer_id": i} for i, text in enumerate(["a", "b", "a"])]
    notes = [{"question_id": n, "image_id": 9, "answers": answers, "multiple_choice_answer": "a"} for n in (1, 3)]
    file = write(tmp_path / "v2_OpenEnded_mscoco_train2014_questions.json", questions)
    with pytest.raises(SelftaughtError, match="no annotations belong"):
        read_picture_questions(file, Columns())
    write(tmp_path / "v2_mscoco_train2014_annotations.json", {"annotations": notes})
    found = read_picture_questions(file, Columns())
    assert told(found) == [("COCO_train2014_000000000009.jpg", "what 1?", ("a", "b", "a"))]
    assert [line for line, _ in why(found)] == [2, 3]
    assert "has no annotation" in why(found)[0][1]
    assert "no picture called 10" in why(found)[1][1]
    assert len(read_picture_questions(file, Columns(), labelled=False).examples) == 2


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_table_with_columns(suffix: str, tmp_path: Path) -> None:
    draw(tmp_path / "p" / "a.png")
    rows = [("p/a.png", "what?", "a square"), ("p/b.png", "what?", "no"), ("p/a.png", " ", "no")]
    file = tmp_path / f"q.{suffix}"
    if suffix == "csv":
        file.write_text("image,question,answer\n" + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    else:
        keys = ("image", "question", "answer")
        file.write_text("".join(json.dumps(dict(zip(keys, r, strict=True))) + "\n" for r in rows), encoding="utf-8")
    found = read_picture_questions(file, Columns())
    assert told(found) == [("a.png", "what?", ("a square",))]
    first = 2 if suffix == "csv" else 1
    assert [line for line, _ in why(found)] == [first + 1, first + 2]
    assert "is not there" in why(found)[0][1]
    named = read_picture_questions(file, Columns(second="image", text="question", label="answer"))
    assert told(named) == told(found)
    with pytest.raises(SelftaughtError, match="no column"):
        read_picture_questions(file, Columns(second="photo"))


def test_several_answers_in_a_table_are_a_list(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    file = tmp_path / "q.jsonl"
    file.write_text(json.dumps({"image": "a.png", "question": "how many?", "answers": [2, "two"]}), encoding="utf-8")
    assert told(read_picture_questions(file, Columns())) == [("a.png", "how many?", ("2", "two"))]


def test_pictures_on_the_command_line_are_followed_by_their_questions(tmp_path: Path) -> None:
    one, other = str(tmp_path / "one.png"), str(tmp_path / "other.png")
    draw(Path(one))
    draw(Path(other))
    asked = questions_about([one, "what?", "why?", other, "who?"])
    assert [(e.picture, e.question) for e in asked] == [(one, "what?"), (one, "why?"), (other, "who?")]
    for wrong, message in (
        (["what?", one], "asked about no picture"),
        ([one], "nothing is asked"),
        ([one, other, "who?"], "nothing is asked"),
        ([str(tmp_path / "gone.png"), "who?"], "is not there"),
    ):
        with pytest.raises(SelftaughtError, match=message):
            questions_about(wrong)


def test_agreement_is_the_accuracy_of_vqa() -> None:
    """Of ten people, three who say the same are enough, but for those of the subsets of nine that leave one out."""
    assert agreement("Red.", ["red"]) == 1
    assert agreement("the red", ["blue", "red"]) == 1
    assert agreement("green", ["blue", "red"]) == 0
    ten = ["cat"] * 2 + ["dog"] * 8
    assert agreement("dog", ten) == 1
    assert agreement("cat", ten) == pytest.approx((8 * 2 / 3 + 2 * 1 / 3) / 10)


def test_the_nearest_picture_answers_the_same_question(tmp_path: Path) -> None:
    rows = [("red", "what?", "warm"), ("blue", "what?", "cold"), ("red", "who?", "me"), ("blue", "who?", "me")]
    for colour in ("red", "blue", "darkblue"):
        draw(tmp_path / f"{colour}.png", colour)
    keys = ("image", "question", "answer")
    lines = [json.dumps(dict(zip(keys, (f"{c}.png", q, a), strict=True))) for c, q, a in rows]
    (tmp_path / "q.jsonl").write_text("\n".join(lines), encoding="utf-8")
    train = read_picture_questions(tmp_path / "q.jsonl", Columns()).examples
    test = questions_about([str(tmp_path / "darkblue.png"), "WHAT?", "never asked?"])
    assert of_nearest_picture(train, test) == ["cold", "me"]
    assert commonest_for_question(train[:1] + train[2:], test) == ["warm", "me"]
