"""What a pretraining run needs, made from its recipe: the data read, what was left open chosen, the learner built."""

from dataclasses import dataclass, replace

from selftaught import lookup
from selftaught.backbones.presets import ALBERT_SIZES, EVERY_SIZE, PAIR_SIZES, PICTURE_SIZES, SIZES
from selftaught.backbones.teacher import language_teacher
from selftaught.console import note
from selftaught.data.corpus import Corpus, prepare
from selftaught.data.documents import Documents
from selftaught.data.loader import Batches
from selftaught.data.samples import TextSamples, samples_of
from selftaught.data.tally import QUARANTINE, tally_sentence
from selftaught.data.tokenise import byte_tokenizer
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner
from selftaught.machine import pick_device
from selftaught.objective import Objective, Spec
from selftaught.plan import CostPlan
from selftaught.pretrained import open_pretrained, weights_sha256
from selftaught.private.guarantee import Guarantee, promised
from selftaught.private.refusing import refuse_shared_statistics, refuse_what_has_no_bound
from selftaught.recipe import Recipe
from selftaught.run.folder import Run
from selftaught.text.building import new_learner
from selftaught.text.costing import Built, cost, fitting_size, sharded_if_needed
from selftaught.text.features import RunningProbe
from selftaught.text.given import (
    checkpoint_of,
    given_tokenizer,
    refuse_other_architecture,
    teacher_of,
    token_vectors,
    with_own_tokenizer,
)
from selftaught.text.held_out import TextBaseline, text_baseline
from selftaught.text.settling import PRIVATE_BATCH, on_this_machine, with_batch, with_size

_UNIT = "each document (a row of a table, or a whole file of plain text)"


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
    if checkpoint_of(recipe) and recipe.model.size:
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
    recipe = with_batch(recipe, objective)
    checkpoint = checkpoint_of(recipe)
    init = open_pretrained(checkpoint) if checkpoint else None
    teacher = teacher_of(recipe, objective)
    if teacher is not None:
        recipe = recipe.with_model(teacher_sha256=weights_sha256(teacher.folder))
    if objective.architecture == "decoder" and recipe.model.size in ALBERT_SIZES:
        raise SelftaughtError(f"{recipe.model.size} is no decoder", do="the sizes of one are " + ", ".join(SIZES))
    for given in (init, teacher):
        refuse_other_architecture(objective, given)
    recipe = recipe if private else with_own_tokenizer(recipe)
    tokenizer = given_tokenizer(recipe) or (byte_tokenizer() if private else None)
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
    recipe = on_this_machine(recipe, device, len(corpus.train), init, teacher)
    beside = {"teacher": language_teacher(teacher.backbone)} if teacher else {}
    assert spec.text is not None
    source: TextSamples
    if private:
        source = Documents(corpus.train, recipe.train.length, recipe.train.seed, spec.text.pad_id)
        recipe = recipe.with_train(batch=min(recipe.train.batch or PRIVATE_BATCH, len(source)))
    else:
        source = samples_of(corpus.train, objective.samples, recipe.train.length, recipe.train.seed, spec.text)
    note(f"samples     {source}")

    words = token_vectors(recipe, corpus.tokenizer)

    def build(size: str | None) -> Built:
        resolved = with_size(recipe, size, init)
        learner = new_learner(resolved, corpus.tokenizer, objective, spec, init or words, beside)
        train = resolved.train
        assert train.batch is not None
        batches = Batches(source, objective, spec, train.batch, train.seed, train.workers)
        return Built.of(resolved, learner, batches)

    size = recipe.model.size or (None if init else fitting_size(recipe, build, source.tokens))
    built = build(size)
    recipe, learner, batches = sharded_if_needed(built), built.learner, built.batches
    plan = cost(built, corpus, source.tokens)
    if private or recipe.train.epochs is not None:  # from here on a budget is in steps or in seconds
        recipe = recipe.with_train(steps=plan.steps, epochs=None, seconds=None)  # noise depends on how many steps
    guarantee = None
    if private:
        refuse_shared_statistics(learner)
        recipe, guarantee = promised(recipe, len(source), plan.steps, _UNIT)
        plan = replace(plan, privacy=guarantee)
    baseline = text_baseline(spec.text.special, corpus.train.counts, corpus.held_out.counts)
    return Pretraining(recipe, objective, corpus, spec, learner, batches, plan, baseline, probe, guarantee)
