"""``selftaught predict``: ask a model about new texts."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from cyclopts import Parameter

from selftaught.backbones.flamingo import Flamingo
from selftaught.backbones.generation import Sampling
from selftaught.console import tell
from selftaught.data.examples import Columns, Examples
from selftaught.data.files import KINDS, split_suffix
from selftaught.data.labels import as_texts, read_unlabelled
from selftaught.data.picture_item import PictureItem
from selftaught.data.picture_questions import is_picture_path
from selftaught.data.picture_source import open_pictures
from selftaught.data.picture_store import decoded
from selftaught.data.processor import Processor, processor
from selftaught.data.sights import is_clip_path
from selftaught.data.tally import Tally
from selftaught.data.video_item import VideoItem
from selftaught.data.video_source import open_videos
from selftaught.data.video_store import decoded as decoded_clips
from selftaught.data.video_store import in_memory
from selftaught.errors import SelftaughtError
from selftaught.finetuning.answering import fill_masks, note_long_texts, task_learner
from selftaught.finetuning.learner import answers
from selftaught.finetuning.saved_task import saved_task
from selftaught.flamingo.describing import LONGEST, describe
from selftaught.machine import pick_device, pick_precision
from selftaught.pairs.model import PairModel, holds_pair_model
from selftaught.pairs.zero_shot import ZeroShot, fitting_templates, read_labels_given
from selftaught.pictures.classifying import PictureClassifier
from selftaught.pictures.model import holds_picture_model
from selftaught.pretrained import Pretrained, open_pretrained
from selftaught.verbs import Place
from selftaught.video.classifying import ClipClassifier, is_taught_clips
from selftaught.word2vec.model import WordModel, holds_words, signed_words

_CLIPS_AT_ONCE = 32
_PICTURES_AT_ONCE = 256


def predict(
    run: Place,
    *inputs: str,
    text: str | None = None,
    second: str | None = None,
    labels: str | None = None,
    template: Annotated[list[str] | None, Parameter(name="--template")] = None,
    top: int = 5,
    json: bool = False,
) -> dict[str, Any]:
    """Ask a model about texts: a fine-tuned one for what it was taught, a pretrained one for the word behind [MASK].

    Word vectors are asked for the nearest of a word, or of a sum such as "king - man + woman"; a network over pictures
    or videos that was fine-tuned for the class of each. A language model that sees pictures writes a caption for each;
    one that was fine-tuned with vqa is given pictures, each followed by its questions. A run of clip tells which of
    --labels a picture is, though nobody taught it any.

    Args:
        run: A run, or a checkpoint folder of transformers.
        inputs: Texts (pairs, and questions with their contexts, by twos), or files as for finetune, labelled or not;
            pictures or videos, or folders of them.
        text: The column that holds the text, in files that have columns.
        second: The column that holds the second text of a pair.
        labels: Of a run of clip, what a picture may be: labels with commas between, or a file with one a line.
        template: How a label is written, such as "a photo of a {}"; may be given several times, and the vectors are
            averaged. If not given, the label alone, and such as the run's captions are familiar with.
        top: For [MASK], word vectors and --labels, how many answers to name; how many captions to follow, which --json
            names all.
        json: Print one JSON object.
    """
    if not inputs:
        raise SelftaughtError("there is nothing to predict", do="give one or more texts or files after the run")
    if top < 1:
        raise SelftaughtError("--top must be at least 1")
    if holds_words(run):
        return _nearest(WordModel.load(run), inputs, top, json)
    if is_taught_clips(run):
        return _videos(run, inputs, json)
    if holds_pair_model(run):
        return _zero_shot(run, inputs, labels, template, top, json)
    if labels or template:
        raise SelftaughtError(
            "--labels and --template are for runs of clip, which know no labels of their own",
            where=str(run),
            do="leave them out",
        )
    if holds_picture_model(run):
        return _pictures(run, inputs, json)
    pretrained = open_pretrained(run)
    task = saved_task(pretrained)
    if task is None and isinstance(pretrained.backbone, Flamingo):
        return _captions(pretrained, inputs, top, json)
    if task is None:
        examples, notes = _examples(inputs, lambda place: read_unlabelled(place, text=text), as_texts)
        said = fill_masks(pretrained, [example.text for example in examples], top)
        heard = [[[_mask(words)] for words in answer["masks"]] for answer in said]  # a line for each mask
    else:
        columns = Columns(text, second)
        examples, notes = _examples(
            inputs,
            lambda place: task.read(place, columns, labelled=False),
            task.asked,
            pictures=task.reads_pictures,
        )
        said = answers(task_learner(pretrained, task), pretrained.tokenizer, examples)
        heard = [[list(map(_one_line, task.shown(answer)))] for answer in said]
        notes += note_long_texts(pretrained, task, examples)
    predictions = [{**example.inputs, **answer} for example, answer in zip(examples, said, strict=True)]
    lines = [
        "\t".join([*one, *map(_one_line, example.inputs.values())])
        for example, some in zip(examples, heard, strict=True)
        for one in some
    ]
    return tell({"verb": "predict", "predictions": predictions, "notes": notes}, lines + notes, json=json)


def _pictures(run: Place, inputs: Sequence[str], json: bool) -> dict[str, Any]:
    device = pick_device(None)
    classifier = PictureClassifier.load(run, pick_precision(device))
    if classifier is None:
        raise SelftaughtError(
            "this network has not been taught any classes",
            where=str(run),
            do="teach it some with selftaught finetune, or take its features with selftaught embed",
        )
    classifier.to(device)
    predictions, lines, notes = list[dict[str, Any]](), [], []
    for given in inputs:
        tally = Tally()
        found = decoded(open_pictures(given), classifier.model.spec.resolution, tally)
        while block := list(islice(found, _PICTURES_AT_ONCE)):
            said = classifier.answers(np.stack([pixels for _, pixels in block]))
            for (item, _), answer in zip(block, said, strict=True):
                predictions.append({**_where(item), **answer})
                lines.append(f"{_told(answer)}\t{':'.join(map(str, _where(item).values()))}")
        notes += tally.note(given)
    if not predictions:
        raise SelftaughtError("not one picture can be used", where=", ".join(inputs), do="selftaught check tells why")
    return tell({"verb": "predict", "predictions": predictions, "notes": notes}, lines + notes, json=json)


def _captions(pretrained: Pretrained, inputs: Sequence[str], top: int, json: bool) -> dict[str, Any]:
    """Of each picture the likeliest captions, by as many beams."""
    network, reader = pretrained.backbone, processor(pretrained.tokenizer)
    assert isinstance(network, Flamingo)
    sampling = Sampling(tokens=LONGEST, temperature=0, beams=top)
    predictions, lines, notes = list[dict[str, Any]](), list[str](), list[str]()
    for given in inputs:
        tally = Tally()
        sights = _sights(given, reader, tally)
        while block := list(islice(sights, _PICTURES_AT_ONCE)):
            said = describe(network, reader, [sight for _, sight in block], sampling, several=top)
            for (where, _), some in zip(block, said, strict=True):
                predictions.append({**where, "captions": some})
                lines.append(f"{_one_line(some[0])}\t{':'.join(map(str, where.values()))}")
        notes += tally.note(given)
    if not predictions:
        raise SelftaughtError("not one picture can be used", where=", ".join(inputs), do="selftaught check tells why")
    return tell({"verb": "predict", "predictions": predictions, "notes": notes}, lines + notes, json=json)


def _sights(given: str, reader: Processor, tally: Tally) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Where pictures are, and each as uint8 [1, 3, S, S]; a clip as its frames."""
    if is_clip_path(given):
        yield {"file": given}, reader.sight(given)
        return
    for item, pixels in decoded(open_pictures(given), reader.resolution, tally):
        yield _where(item), pixels[None]


def _where(item: PictureItem | VideoItem) -> dict[str, Any]:
    """Where a picture or a clip is."""
    return {"file": item.file, **({"line": item.line} if item.line else {})}


def _videos(run: Place, inputs: Sequence[str], json: bool) -> dict[str, Any]:
    device = pick_device(None)
    classifier = ClipClassifier.load(run, pick_precision(device))
    assert classifier is not None
    classifier.to(device)
    predictions, lines, notes = list[dict[str, Any]](), [], []
    side, rate = classifier.model.picture.spec.resolution, classifier.model.spec.rate
    for given in inputs:
        tally = Tally()
        found = decoded_clips(open_videos(given), side, rate, tally)
        while block := list(islice(found, _CLIPS_AT_ONCE)):
            store = in_memory(block, rate)
            for (item, _), answer in zip(block, classifier.answers(store, range(len(block))), strict=True):
                predictions.append({**_where(item), **answer})
                lines.append(f"{_told(answer)}\t{':'.join(map(str, _where(item).values()))}")
        notes += tally.note(given)
    if not predictions:
        raise SelftaughtError("not one clip can be used", where=", ".join(inputs), do="selftaught check tells why")
    return tell({"verb": "predict", "predictions": predictions, "notes": notes}, lines + notes, json=json)


def _zero_shot(
    run: Place, inputs: Sequence[str], labels: str | None, template: Sequence[str] | None, top: int, json: bool
) -> dict[str, Any]:
    """Which label's words lie nearest to each picture."""
    if labels is None:
        raise SelftaughtError(
            "this run tells which of several labels a picture is, and none are given",
            where=str(run),
            do="name them: --labels 'a cat,a dog'; or a file with one a line",
        )
    device = pick_device(None)
    model = PairModel.load(run, pick_precision(device)).to(device)
    asked = ZeroShot.of(model, read_labels_given(labels), template or fitting_templates(Path(run)))
    predictions, lines, notes = list[dict[str, Any]](), [], []
    for given in inputs:
        tally = Tally()
        found = decoded(open_pictures(given), model.spec.resolution, tally)
        while block := list(islice(found, _PICTURES_AT_ONCE)):
            shares = asked.shares(np.stack([pixels for _, pixels in block]))
            for (item, _), share in zip(block, shares, strict=True):
                best = np.argsort(-share, kind="stable")[:top]
                answers = [{"label": asked.labels[i], "probability": float(share[i])} for i in best]
                predictions.append({**_where(item), **answers[0], "nearest": answers})
                said = ", ".join(f"{one['label']} {one['probability']:.3f}" for one in answers)
                lines.append(f"{said}\t{':'.join(map(str, _where(item).values()))}")
        notes += tally.note(given)
    if not predictions:
        raise SelftaughtError("not one picture can be used", where=", ".join(inputs), do="selftaught check tells why")
    report = {"verb": "predict", "predictions": predictions, "templates": asked.templates, "notes": notes}
    return tell(report, lines + notes, json=json)


def _told(answer: dict[str, Any]) -> str:
    """A label with its probability, or several labels."""
    if "labels" in answer:
        return ", ".join(answer["labels"]) or "none"
    return f"{answer['label']}\t{answer['probability']:.3f}"


def _nearest(model: WordModel, inputs: Sequence[str], top: int, json: bool) -> dict[str, Any]:
    predictions, lines = [], []
    for given in inputs:
        vector, among = model.sum_of(signed_words(given))
        near = model.nearest(vector, top, among)
        predictions.append({"text": given, "nearest": [{"word": word, "cosine": cosine} for word, cosine in near]})
        lines.append(f"{', '.join(f'{word} {cosine:.3f}' for word, cosine in near)}\t{_one_line(given)}")
    return tell({"verb": "predict", "predictions": predictions, "notes": []}, lines, json=json)


def _examples(
    inputs: Sequence[str],
    read: Callable[[str], Examples[Any]],
    asked: Callable[[Sequence[str]], list[Any]],
    *,
    pictures: bool = False,
) -> tuple[list[Any], list[str]]:
    """Those of the files and folders among the inputs, and those that the texts between them make.

    Args:
        pictures: whether pictures belong to the texts.
    """
    found, notes = [], []
    for is_file, some in groupby(inputs, lambda given: _exists(given) and not (pictures and is_picture_path(given))):
        if not is_file:
            found += asked([given if pictures else _text(given) for given in some])
            continue
        for given in some:
            there = read(given)
            found += there.examples
            notes += there.tally.note(given)
    if not found:
        raise SelftaughtError("the files hold no text", where=", ".join(inputs), do="selftaught check tells why")
    return found, notes


def _mask(words: list[Any]) -> str:
    return ", ".join(f"{word} {p:.3f}" for word, p in words)


def _text(given: str) -> str:
    """An input that is no file; what must be a slip of the fingers is not answered."""
    if not given.strip():
        raise SelftaughtError("one of the inputs is empty", do="give a text, or a file of texts")
    if not any(map(str.isspace, given)) and split_suffix(given)[0] in KINDS:
        raise SelftaughtError(
            f"there is no file {given!r}", do="check the path; a text that looks like a file name can be put in a file"
        )
    return given


def _exists(given: str) -> bool:
    try:
        return bool(given) and Path(given).exists()
    except (OSError, ValueError):  # longer than a file name can be, or with a NUL byte: a text
        return False


def _one_line(text: str) -> str:
    """A text on one line, so that a line is an answer."""
    return " ".join(text.split())
