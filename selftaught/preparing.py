"""What a pretraining run needs, made from its recipe: the data read, what was left open chosen, the learner built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from selftaught import lookup
from selftaught.backbones.hf import TextBackbone, drops, new_backbone, new_decoder
from selftaught.backbones.presets import ALBERT_SIZES, EVERY_SIZE, PAIR_SIZES, PICTURE_SIZES, SIZES
from selftaught.backbones.teacher import language_teacher
from selftaught.console import note
from selftaught.data.corpus import Corpus, prepare
from selftaught.data.documents import Documents
from selftaught.data.loader import Batches
from selftaught.data.samples import TextSamples, samples_of
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.data.tokenise import TextTokenizer, byte_tokenizer, load_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.features import RunningProbe
from selftaught.held_out import TextBaseline, text_baseline
from selftaught.loop import Learner, refuse_to_split
from selftaught.machine import memory_bytes, pick_device, pick_precision
from selftaught.objective import Objective, Spec
from selftaught.plan import (
    CostPlan,
    choose_size,
    count_flops,
    default_rate,
    estimate_memory,
    measure_speed,
    state_bytes,
)
from selftaught.pretrained import (
    Pretrained,
    model_folder,
    open_pretrained,
    restore_heads,
    weights_sha256,
)
from selftaught.privacy import Guarantee, promised, refuse_shared_statistics, refuse_what_has_no_bound
from selftaught.randomness import derive
from selftaught.ranks import world
from selftaught.recipe import Recipe
from selftaught.run import Run
from selftaught.sharing import fitting_crew
from selftaught.word2vec.embedding import TokenVectors
from selftaught.word2vec.model import WordModel, holds_words

DEFAULT_SECONDS = 600.0
_DEFAULT_BATCH = 16
_UNIT = "each document (a row of a table, or a whole file of plain text)"
_TIMED = 8  # samples a thread, to measure how long one takes
_PRIVATE_BATCH = 256  # the noise is the same for a batch of any size
_CONTRASTED_BATCH = 64  # the wrong answers of a contrast are the rest of the batch (Gao et al. 2021, table D.1)


@dataclass(frozen=True)
class Pretraining:
    """Everything a pretraining run needs, made from its recipe."""

    recipe: Recipe
    objective: Objective
    corpus: Corpus
    spec: Spec
    learner: Learner
    batches: Batches
    plan: CostPlan
    baseline: TextBaseline
    probe: RunningProbe | None
    guarantee: Guarantee | None


def check_recipe(recipe: Recipe) -> None:
    """Refuse what cannot be meant.

    Raises:
        SelftaughtError: for two budgets, a size beside a given model, or a size that does not exist.
    """
    given = [name for name in ("steps", "epochs", "seconds") if getattr(recipe.train, name) is not None]
    if len(given) > 1:
        raise SelftaughtError(
            f"the budget is given twice: {' and '.join(given)}", do="give one of --steps, --epochs, --for"
        )
    if _checkpoint(recipe) and recipe.model.size:
        raise SelftaughtError("--size and --init exclude each other", do="the size of --init is that of its model")
    if recipe.model.size and recipe.model.size not in EVERY_SIZE | PICTURE_SIZES | PAIR_SIZES:
        raise SelftaughtError(f"there is no size {recipe.model.size!r}", do="the sizes are " + ", ".join(EVERY_SIZE))
    if recipe.privacy.epsilon is None and recipe.privacy.model_dump(exclude_defaults=True):
        raise SelftaughtError("recipe keys of privacy are given without an epsilon", do="add --private --epsilon 8")
    if recipe.privacy.epsilon is not None and recipe.model.vocabulary:
        raise SelftaughtError(
            "a vocabulary would be learned from the text without any noise, and so would tell of it",
            do="name a run whose tokenizer to use (--init, or --set model.tokenizer=RUN), or let each byte be a token",
        )
    if not recipe.data.path:
        raise SelftaughtError("no data is given", do="name a folder, a file, builtin:docs or hf:NAME")


def prepare_pretraining(run: Run, recipe: Recipe) -> Pretraining:
    """Read the data, choose what was left open, build the learner, and measure what training it will cost."""
    goal, size = recipe.objective, recipe.model.size
    if size in PICTURE_SIZES | PAIR_SIZES:
        raise SelftaughtError(f"{size} reads pictures, and {goal.name} text", do="take " + ", ".join(EVERY_SIZE))
    objective = lookup.make(goal.name, lookup.OBJECTIVES, goal.options, goal.weights)
    private = recipe.privacy.epsilon is not None
    if private:
        refuse_what_has_no_bound(objective)
    recipe = _with_batch(recipe, objective)
    checkpoint = _checkpoint(recipe)
    init = open_pretrained(checkpoint) if checkpoint else None
    teacher = _teacher(recipe, objective)
    if teacher is not None:
        recipe = _with_model(recipe, teacher_sha256=weights_sha256(teacher.folder))
    if objective.architecture == "decoder" and recipe.model.size in ALBERT_SIZES:
        raise SelftaughtError(f"{recipe.model.size} is no decoder", do="the sizes of one are " + ", ".join(SIZES))
    for given in (init, teacher):
        _refuse_other_architecture(objective, given)
    tokenizer = _given_tokenizer(recipe) or (byte_tokenizer() if private else None)
    device, data = pick_device(recipe.train.device), recipe.data  # a mistake here is told before the long reading
    probe = RunningProbe.of(data.labels, label=data.label, seed=recipe.train.seed) if data.labels else None
    corpus = prepare(
        recipe.data.path,
        run.folder / "tokens",
        seed=recipe.train.seed,
        text=recipe.data.text,
        kind="bytelevel" if objective.architecture == "decoder" else "wordpiece",
        vocab_size=recipe.model.vocabulary,
        tokenizer=tokenizer,
        sentences=objective.samples != "rows",
        keep=run.has_begun,
    )
    note(f"read        {corpus.description}{', when this run began' if run.has_begun else ''}")
    rows = tally_sentence(corpus.tally, run.folder / "tokens" / QUARANTINE)
    note(f"rows        {rows}")
    spec = Spec(text=corpus.tokenizer.spec(None if private else corpus.train.counts))  # heads begin at the counts
    recipe = _on_this_machine(recipe, device, corpus, init, teacher)
    beside = {"teacher": language_teacher(teacher.backbone)} if teacher else {}
    assert spec.text is not None
    source: TextSamples
    if private:
        source = Documents(corpus.train, recipe.train.length, recipe.train.seed, spec.text.pad_id)
        recipe = _with_train(recipe, batch=min(recipe.train.batch or _PRIVATE_BATCH, len(source)))
    else:
        source = samples_of(corpus.train, objective.samples, recipe.train.length, recipe.train.seed, spec.text)
    note(f"samples     {source}")

    words = _token_vectors(recipe, corpus)

    def build(size: str | None) -> tuple[Recipe, Learner, Batches]:
        resolved = _with_size(recipe, size, init)
        learner = _learner(resolved, corpus, objective, spec, init or words, beside)
        train = resolved.train
        assert train.batch is not None
        batches = Batches(source, objective, spec, train.batch, train.seed, train.workers)
        return _with_threads(resolved, learner, batches), learner, batches

    size = recipe.model.size or (None if init else _fitting_size(recipe, build, source.tokens))
    recipe, learner, batches = build(size)
    recipe = _sharded_if_needed(recipe, learner, _memory(recipe, learner, batches))
    plan = _cost(recipe, corpus, learner, batches, source.tokens)
    if private or recipe.train.epochs is not None:  # from here on a budget is in steps or in seconds
        recipe = _with_train(recipe, steps=plan.steps, epochs=None, seconds=None)  # noise depends on how many steps
    guarantee = None
    if private:
        refuse_shared_statistics(learner)
        recipe, guarantee = promised(recipe, len(source), plan.steps, _UNIT)
        plan = replace(plan, privacy=guarantee)
    baseline = text_baseline(spec.text.special, corpus.train.counts, corpus.held_out.counts)
    return Pretraining(recipe, objective, corpus, spec, learner, batches, plan, baseline, probe, guarantee)


def _checkpoint(recipe: Recipe) -> str | None:
    """The run or folder of a transformer that this one begins as; word vectors are only where its tokens begin."""
    place = recipe.model.init
    return None if place is None or holds_words(place) else place


def _token_vectors(recipe: Recipe, corpus: Corpus) -> TokenVectors | None:
    """What the tokens begin with, if word vectors are given."""
    place, tokenizer = recipe.model.init, corpus.tokenizer
    if place is None or not holds_words(place):
        return None
    found = TokenVectors.of(WordModel.load(place), tokenizer.encode, tokenizer.vocab_size)
    note(f"words       {found.known.sum():,} of {len(found.known):,} tokens begin with the vectors of {place}")
    return found


def _refuse_other_architecture(objective: Objective, init: Pretrained | None) -> None:
    """An encoder cannot learn to continue a text, nor a decoder to look at both sides of one."""
    if init is None or objective.architecture in ("any", "decoder" if init.backbone.is_decoder else "encoder"):
        return
    have = "reads from left to right" if init.backbone.is_decoder else "reads from both sides"
    raise SelftaughtError(
        f"{objective.name} needs another kind of network: this one {have}",
        where=str(init.folder),
        do="begin from a run of causal_lm" if objective.architecture == "decoder" else "begin from a run of mlm",
    )


def _with_train(recipe: Recipe, **values: Any) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update=values)})


def _with_model(recipe: Recipe, **values: Any) -> Recipe:
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=values)})


def _teacher(recipe: Recipe, objective: Objective) -> Pretrained | None:
    """The model to learn from, for an objective that does.

    Raises:
        SelftaughtError: if there is none, or another one than this run began with.
    """
    place = recipe.model.teacher
    if objective.taught and place is None:
        raise SelftaughtError(f"{objective.name} needs a teacher", do="selftaught distill RUN DATA gives it one")
    if place is not None and not objective.taught:
        raise SelftaughtError(f"{objective.name} does not learn from a teacher", do="--objective distill does")
    if place is None:
        return None
    found = open_pretrained(place)
    if recipe.model.teacher_sha256 not in (None, weights_sha256(found.folder)):
        raise SelftaughtError(
            "this is not the teacher that the run began with: its weights have changed since",
            where=place,
            do="restore it, or choose another --out (of a --recipe, leave model.teacher_sha256 out)",
        )
    return found


def _given_tokenizer(recipe: Recipe) -> TextTokenizer | None:
    """That of the model to begin with, of the teacher, or the one asked for; all that are given must be one."""
    places = [place for place in (_checkpoint(recipe), recipe.model.teacher, recipe.model.tokenizer) if place]
    found = [load_tokenizer(model_folder(place)) for place in places]
    if len({tokenizer.fingerprint for tokenizer in found}) > 1:
        raise SelftaughtError(
            "these have different tokenizers",
            where=", ".join(places),
            do="a student reads with its teacher's tokenizer",
        )
    return found[0] if found else None


def _on_this_machine(
    recipe: Recipe, device: torch.device, corpus: Corpus, init: Pretrained | None, teacher: Pretrained | None
) -> Recipe:
    """Device, precision, batch, budget and row length, where the recipe leaves them open."""
    budget = [recipe.train.steps, recipe.train.epochs, recipe.train.seconds]
    given = [model.backbone.longest_row for model in (init, teacher) if model is not None]
    longest = min(given if init else [*given, recipe.model.longest_row])
    # bfloat16 takes a processor twice as long where each sample is computed by itself (docs/lab.md)
    one_by_one = recipe.privacy.epsilon is not None and device.type == "cpu"
    return _with_train(
        recipe,
        device=str(device),
        precision=recipe.train.precision or ("fp32" if one_by_one else pick_precision(device)),
        seconds=DEFAULT_SECONDS if all(b is None for b in budget) else recipe.train.seconds,
        # a corpus of a few rows still trains, on shorter ones
        length=min(recipe.train.length, longest, max(8, len(corpus.train) // 4)),
    )


def _with_batch(recipe: Recipe, objective: Objective) -> Recipe:
    """Samples a batch, where the recipe leaves them open.

    Raises:
        SelftaughtError: if a batch is to be split that must not be.
    """
    refuse_to_split(objective, recipe.train.accumulate, "samples")
    default = _CONTRASTED_BATCH if objective.couples_batch else _DEFAULT_BATCH
    default = default if recipe.privacy.epsilon is None else _PRIVATE_BATCH
    return _with_train(recipe, batch=recipe.train.batch or default)


def _with_size(recipe: Recipe, size: str | None, init: Pretrained | None) -> Recipe:
    width = init.backbone.width if init else EVERY_SIZE[size or "tiny"].width
    rate = recipe.train.rate or default_rate(width, trained=init is not None)
    return _with_train(_with_model(recipe, size=size), rate=rate)


def _with_threads(recipe: Recipe, learner: Learner, batches: Batches) -> Recipe:
    """Among how many threads a step's rows are shared, where the recipe leaves it open.

    Raises:
        SelftaughtError: if they were asked to share what cannot be shared.
    """
    train, asked = recipe.train, recipe.train.threads
    objective = learner.objective
    whole = objective.couples_batch or objective.taught or drops(learner) or learner.device.type != "cpu"
    if asked is None:
        if whole:
            return recipe
        if recipe.privacy.epsilon is not None:  # each sample is computed by itself: there is nothing to be shared out
            return _with_train(recipe, threads=torch.get_num_threads())
        work = count_flops(learner, batches.at(0), train.length) * batches.size * train.length
        return _with_train(recipe, threads=fitting_crew(work, batches.size, torch.get_num_threads()))
    if asked > 1 and (whole or (recipe.privacy.epsilon is None and batches.size % asked)):
        why = "its rows cannot be parted" if whole else f"{batches.size} rows are no multiple of {asked}"
        raise SelftaughtError(
            f"{asked} threads cannot share a step of this run: {why}", do="leave train.threads out, or give 1"
        )
    return recipe


def _fitting_size(recipe: Recipe, build: Callable[[str], tuple[Recipe, Learner, Batches]], sample_tokens: float) -> str:
    """The size that the budget is worth; speeds are measured only where the budget is in time."""

    def tokens(size: str) -> float:
        resolved, learner, batches = build(size)
        if _memory(resolved, learner, batches) > memory_bytes(learner.device):
            return 0.0
        if recipe.train.seconds is None:
            return _steps(resolved, batches) * batches.size * recipe.train.accumulate * sample_tokens
        return recipe.train.seconds * _speed(resolved, learner, batches) * sample_tokens

    return choose_size(tokens)


def _speed(recipe: Recipe, learner: Learner, batches: Batches) -> float:
    """Samples a second; a private step computes each by itself, however many they are."""
    threads = recipe.train.threads
    if recipe.privacy.epsilon is None:
        return measure_speed(learner, batches, threads)
    return measure_speed(learner, replace(batches, size=_TIMED * (threads or 1)), threads, alone=True)


def _memory(recipe: Recipe, learner: Learner, batches: Batches) -> int:
    if recipe.privacy.epsilon is not None:
        batches = replace(batches, size=recipe.train.threads or 1)
    return estimate_memory(learner, batches.at(0), recipe.train.length)


def _sharded_if_needed(recipe: Recipe, learner: Learner, needed: int) -> Recipe:
    """Each rank gets a share of weights, gradients and moments where all of them do not fit, and have never to.

    Better told now than by the system, which ends a process that takes too much without a word.
    """
    there, state = memory_bytes(learner.device), state_bytes(learner)
    shared = needed - state + state / world()
    if world() > 1 and recipe.train.shard is None:
        recipe = _with_train(recipe, shard=needed > there)
    if (shared if recipe.train.shard else needed) > there:
        raise SelftaughtError(
            f"this needs about {needed / 1e9:,.0f} GB of memory, and there are {there / 1e9:,.0f}",
            do="take a smaller --batch (with --set train.accumulate=N, N of them are one step) or --size"
            + ("; with torchrun and more ranks each needs less" if learner.device.type != "cpu" else ""),
        )
    return recipe


def _steps(recipe: Recipe, batches: Batches) -> int:
    """Steps of a budget in steps or epochs."""
    if recipe.train.steps is not None:
        return recipe.train.steps
    assert recipe.train.epochs is not None
    return max(1, round(recipe.train.epochs * len(batches.source) / (batches.size * recipe.train.accumulate)))


def _learner(
    recipe: Recipe,
    corpus: Corpus,
    objective: Objective,
    spec: Spec,
    init: Pretrained | TokenVectors | None,
    beside: Mapping[str, nn.Module],
) -> Learner:
    torch.manual_seed(derive("weights", recipe.train.seed))
    if isinstance(init, Pretrained):
        backbone = open_pretrained(init.folder).backbone
    else:
        backbone = _new_network(recipe, corpus, objective)
    if isinstance(init, TokenVectors):
        init.begin(backbone.embeddings(), recipe.train.seed)
    assert recipe.train.device is not None
    assert recipe.train.precision is not None
    learner = Learner({"text": backbone, **beside}, objective, spec, recipe.train.precision)
    if isinstance(init, Pretrained):
        restore_heads(learner.heads, init.parts)
    return learner.to(recipe.train.device)


def _new_network(recipe: Recipe, corpus: Corpus, objective: Objective) -> TextBackbone:
    tokenizer, longest = corpus.tokenizer, recipe.model.longest_row
    assert recipe.model.size is not None
    assert tokenizer.start_id is not None
    assert tokenizer.end_id is not None
    size, pad = recipe.model.size, tokenizer.id_of("pad_token") or 0
    start, end = tokenizer.start_id, tokenizer.end_id
    if objective.architecture == "decoder":
        return new_decoder(SIZES[size], tokenizer.vocab_size, pad_id=pad, bos_id=start, eos_id=end, longest_row=longest)
    return new_backbone(
        EVERY_SIZE[size], tokenizer.vocab_size, pad_id=pad, cls_id=start, sep_id=end, longest_row=longest
    )


def _cost(recipe: Recipe, corpus: Corpus, learner: Learner, batches: Batches, sample_tokens: float) -> CostPlan:
    train = recipe.train
    assert train.rate is not None
    samples = batches.size * train.accumulate
    speed = _speed(recipe, learner, batches)
    steps = max(1, round(train.seconds * speed / samples)) if train.seconds else _steps(recipe, batches)
    tokens = steps * samples * sample_tokens
    batch = batches.at(0)
    return CostPlan(
        objective=recipe.objective.name,
        size=recipe.model.size or f"as {recipe.model.init}",
        parameters=sum(p.numel() for p in learner.parameters() if p.requires_grad),
        vocabulary=corpus.tokenizer.vocab_size,
        device=str(train.device),
        precision=str(train.precision),
        corpus_tokens=len(corpus.train),
        held_out_tokens=len(corpus.held_out),
        batch=samples,
        length=train.length,
        sample_tokens=sample_tokens,
        rate=train.rate,
        steps=steps,
        tokens=round(tokens),
        epochs=steps * samples / len(batches.source),
        flops=tokens * count_flops(learner, batch, sample_tokens),
        memory_bytes=_memory(recipe, learner, batches),
        tokens_per_second=speed * sample_tokens,
        seconds=train.seconds or steps * samples / speed,
    )
