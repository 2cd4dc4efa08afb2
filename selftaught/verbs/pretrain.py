"""``selftaught pretrain``: a model from data that nobody has labelled."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from selftaught import lookup
from selftaught.backbones.towers import PAIR
from selftaught.backbones.video import VIDEO
from selftaught.backbones.vision import IMAGE
from selftaught.console import note, tell
from selftaught.data.pair_source import holds_pairs
from selftaught.data.picture_source import holds_pictures
from selftaught.data.video_source import holds_videos
from selftaught.errors import SelftaughtError
from selftaught.fit import fit_recipe
from selftaught.flamingo.preparing import prepare_caption_pretraining
from selftaught.flamingo.pretraining import caption_summary, run_caption_pretraining
from selftaught.pairs.preparing import PairPretraining, prepare_pair_pretraining
from selftaught.pairs.pretraining import pair_summary, run_pair_pretraining
from selftaught.pictures.preparing import PicturePretraining, prepare_picture_pretraining
from selftaught.pictures.pretraining import picture_summary, run_picture_pretraining
from selftaught.private.key import forget_key
from selftaught.ranks import agreed, leads, place, world
from selftaught.recipe import Recipe, compose, read_recipe, settled
from selftaught.run.account import keep_plan
from selftaught.run.durable import replace_file
from selftaught.run.folder import Run
from selftaught.run.report import finished
from selftaught.scaling.step import planned_cost
from selftaught.schedule import parse_duration
from selftaught.text.preparing import Pretraining, check_recipe, prepare_pretraining
from selftaught.text.pretraining import run_pretraining, summary
from selftaught.verbs import Place
from selftaught.video.preparing import VideoPretraining, prepare_video_pretraining
from selftaught.video.pretraining import run_video_pretraining, video_summary
from selftaught.word2vec.options import WORD_OBJECTIVES
from selftaught.word2vec.pretraining import prepare_word_pretraining, run_word_pretraining, word_summary


def pretrain(
    data: str,
    *,
    objective: str | None = None,
    out: Place | None = None,
    steps: int | None = None,
    epochs: float | None = None,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    size: str | None = None,
    init: Place | None = None,
    text: str | None = None,
    image: str | None = None,
    labels: str | None = None,
    batch: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    recipe: Place | None = None,
    shard: bool = False,
    deterministic: bool = False,
    private: bool = False,
    epsilon: float | None = None,
    set_: Annotated[list[str] | None, Parameter(name="--set")] = None,
    dry_run: bool = False,
    preview: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Turn unlabelled text, pictures, pictures with words, or videos into a pretrained model.

    The same command again resumes an interrupted run; a finished one is left as it is.

    Args:
        data: A folder, a file, builtin:NAME or hf:NAME.
        objective: What to learn; "selftaught objectives" lists them. If not given mlm, simclr for pictures,
            clip for pictures with words, and frame_order for videos.
        out: The run folder; runs/DATA-OBJECTIVE if not given.
        steps: Train for so many steps.
        epochs: Train for so many passes over the data.
        for_: Train for so long, such as 90s, 10m or 1h30m; 10m if no budget is given.
        size: tiny, small, medium or base, chosen from the budget if not given; or albert-tiny, -small or -base. For
            pictures and videos conv-tiny, -small or -base, or vit-tiny, -small, -medium or -base; for pictures with
            words clip-tiny, -small or -base.
        init: A run or checkpoint folder to go on from.
        text: The column that holds the text; of captions several, with commas between.
        image: The column that holds pictures, or paths to them.
        labels: Labelled data for a probe while training; never trained on.
        batch: Samples a step.
        seed: Of everything that is random.
        device: cpu, cuda, …; the GPU if there is one.
        recipe: A recipe file to begin with.
        shard: Under torchrun, each rank holds only its share of weights and moments; by itself if all would not fit.
        deterministic: Train word vectors on one thread, to the same bits each time; all else is so anyway. With
            --private the noise then follows from the seed, and protects from nobody who knows it.
        private: Train on text so that no document can be told from the model; needs --epsilon.
        epsilon: With --private, how much may be told: 1 is strict, 8 is usual.
        set_: Any other recipe key, as key=value.
        dry_run: Print the plan and stop; the tokenised corpus stays for the run itself.
        preview: Draw what the network will be asked about pictures or clips, as RUN/views.png, and stop.
        json: Print one JSON object.
    """
    if objective is None and recipe is None:
        objective = _fitting(data, text)
    given = {
        "verb": "pretrain",
        "data.path": data,
        "data.text": text,
        "data.image": image,
        "data.labels": labels,
        "objective.name": objective,
        "model.size": size,
        "model.init": str(init) if init else None,
        "train.steps": steps,
        "train.epochs": epochs,
        "train.seconds": parse_duration(for_) if for_ is not None else None,
        "train.batch": batch,
        "train.seed": seed,
        "train.device": device,
        "train.shard": True if shard else None,
        "train.threads": 1 if deterministic and not private else None,
        "privacy.epsilon": epsilon,
        "privacy.seeded": True if deterministic and private else None,
    }
    if epsilon is not None and not private:
        raise SelftaughtError("--epsilon is for a private run", do="add --private")
    asked = compose(given, file=Path(recipe) if recipe else None, settings=set_ or ())
    if world() > 1 and asked.privacy.epsilon is not None:
        raise SelftaughtError("a private run trains in one process", do="start it without torchrun")
    if private and asked.privacy.epsilon is None:
        raise SelftaughtError("--private needs to know how much may be told", do="add --epsilon 8, or less")
    way = _way(asked.objective.name)
    if asked.privacy.epsilon is not None and way is not _TRANSFORMERS:
        raise SelftaughtError(f"--private is for text, and {asked.objective.name} is not", do="leave --private out")
    check_recipe(asked)
    run = Run(Path(out) if out else Path("runs") / f"{_label(asked.data.path)}-{asked.objective.name}")
    if not leads():
        return _led(run, way)
    with run.locked():
        before = settled(run.recipe, asked)
        if before is not None and (done := finished(run, "pretrain")) is not None:
            agreed(False)
            note(f"{run.folder} is finished; nothing was trained. For another run choose another --out.")
            done["run"] = str(run.folder)  # it may have been moved
            forget_key(run)  # of a private run that was killed right after its report
            return tell(done, way.summary(done), json=json)
        ready = way.prepare(run, before or asked)
        for line in ready.plan.lines():
            note(line)
        if dry_run or preview:
            agreed(False)
        if dry_run:
            return tell(ready.plan.to_json(), ["dry run: nothing was trained"], json=json)
        if preview:
            return _previewed(run, ready, json)
        if world() > 1:
            ready.batches.shared(place(), world())  # or refuse before anything is written
        replace_file(run.recipe, ready.recipe.to_yaml())
        if way is not _WORDS and asked.privacy.epsilon is None:
            keep_plan(run, lambda: _cost(ready))
        note(f"recipe      {run.recipe}")
        own = asked.objective.name if ":" in asked.objective.name else ""  # no file has code imported
        note(
            f"repeat      selftaught pretrain {shlex.quote(asked.data.path)} --recipe {run.recipe}"
            f"{f' --objective {own}' if own else ''} --out NEW"
        )
        own = f'objective="{own}", ' if own else ""
        note(f'in Python   selftaught.pretrain("{asked.data.path}", {own}recipe="{run.recipe}", out="NEW")')
        agreed(True)  # the others train along from here
        report = way.run(run, ready)
    return tell(report, way.summary(report), json=json)


def _cost(ready: Any) -> dict[str, Any]:
    """What a step is announced to take; of text, whose plan has said so, also how many tokens it reads."""
    found = planned_cost(ready.learner, ready.batches, ready.recipe.train.accumulate)
    if isinstance(ready, Pretraining):
        return {**found, "tokens_a_step": found["samples_a_step"] * ready.plan.sample_tokens}
    note(f"cost        {found['flops_a_step']:.2e} FLOPs a step, about {found['memory_bytes'] / 1e6:,.0f} MB of memory")
    return found


def _led(run: Run, way: "_Way") -> dict[str, Any]:
    """What the other ranks do: wait until the first has prepared the run, if it does not end with that, and train."""
    if agreed(None):
        ready = way.prepare(replace(run, prepared=True), read_recipe(run.recipe))
        fit_recipe(run, ready.learner, ready.batches, ready.recipe.train)
    return {}


def _previewed(run: Run, ready: Any, json: bool) -> dict[str, Any]:
    """Draw what the network will be asked about."""
    if not isinstance(ready, PicturePretraining | PairPretraining | VideoPretraining):
        raise SelftaughtError("--preview shows views of pictures, and this is text", do="leave it out")
    page = ready.illustrator(run).views()
    report = {"verb": "pretrain", "preview": str(page)}
    return tell(report, [f"preview     {page}: a row a picture, first as it is; nothing was trained"], json=json)


@dataclass(frozen=True)
class _Way:
    """How a kind of model is trained.

    Args:
        prepare: makes what a run needs, with its ``recipe`` resolved and its ``plan``.
        run: trains to the end and reports.
        summary: the report for the terminal.
    """

    prepare: Callable[[Run, Recipe], Any]
    run: Callable[[Run, Any], dict[str, Any]]
    summary: Callable[[dict[str, Any]], list[str]]


_TRANSFORMERS = _Way(prepare_pretraining, run_pretraining, summary)
_PICTURES = _Way(prepare_picture_pretraining, run_picture_pretraining, picture_summary)
_CLIPS = _Way(prepare_video_pretraining, run_video_pretraining, video_summary)
_PAIRS = _Way(prepare_pair_pretraining, run_pair_pretraining, pair_summary)
_CAPTIONS = _Way(prepare_caption_pretraining, run_caption_pretraining, caption_summary)
_WORDS = _Way(prepare_word_pretraining, run_word_pretraining, word_summary)


def _way(objective: str) -> _Way:
    if objective in WORD_OBJECTIVES:
        if world() > 1:
            raise SelftaughtError(f"{objective} trains on the cores of one process", do="start it without torchrun")
        return _WORDS
    if alone := sorted(WORD_OBJECTIVES.keys() & set(objective.split("+"))):
        raise SelftaughtError(
            f"{alone[0]} trains word vectors, not a network that others could share",
            do=f"give --objective {alone[0]} alone",
        )
    found = {part: lookup.find(part, lookup.OBJECTIVES, also=WORD_OBJECTIVES) for part in objective.split("+")}
    if shown := [part for part, kind in found.items() if kind.samples == "captions"]:
        if len(found) > 1:
            raise SelftaughtError(
                f"{shown[0]} is learned between two frozen networks, alone", do="leave the others out"
            )
        return _CAPTIONS
    kinds = {part: kind.stream.partition(".")[0] for part, kind in found.items()}
    (first, kind), *others = kinds.items()
    if unlike := [(other, theirs) for other, theirs in others if theirs != kind]:
        raise SelftaughtError(
            f"{first} learns from {_KINDS[kind]}, and {unlike[0][0]} from {_KINDS[unlike[0][1]]}",
            do="fuse objectives of one kind",
        )
    return {IMAGE: _PICTURES, VIDEO: _CLIPS, PAIR: _PAIRS}.get(kind, _TRANSFORMERS)


_KINDS = {"text": "text", IMAGE: "pictures", VIDEO: "videos", PAIR: "pictures with words"}


def _fitting(data: str, text: str | None) -> str | None:
    """What is learned from the data where nobody says; None for what is learned from text."""
    if holds_pairs(data, text):  # numbered pictures with a text beside each could be frames as well
        return "clip"
    return "frame_order" if holds_videos(data) else "simclr" if holds_pictures(data) else None


def _label(data: str) -> str:
    """A folder name for the data: its last part."""
    return Path(data.partition(":")[2] or data).name.split(".")[0] or "data"
