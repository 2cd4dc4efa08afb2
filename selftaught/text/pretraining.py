"""Pretraining on text: from what was prepared to a finished run folder."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from selftaught.backbones.heads import CausalLMHead, MaskedLMHead, model_head, save_model
from selftaught.backbones.hf import text_backbone
from selftaught.backbones.pooling import save_pooling
from selftaught.data.corpus import Corpus
from selftaught.fit import Outcome, Plan, Steps, fit_recipe
from selftaught.health import collapse_sentence
from selftaught.loop import Progress, evaluate
from selftaught.metrics.spread import effective_rank, uniformity
from selftaught.pretrained import head_parts
from selftaught.private.guarantee import NOT_COVERED, SEEDED
from selftaught.private.key import forget_key, noise_key
from selftaught.private.steps import private_steps
from selftaught.ranks import world
from selftaught.run.curve import draw_curve
from selftaught.run.durable import written_aside
from selftaught.run.folder import Run
from selftaught.run.model_card import SENTENCES, write_card
from selftaught.run.report import write_report
from selftaught.text.features import LONGEST_TEXT, sentence_vectors, text_features
from selftaught.text.held_out import ROWS, held_out_batches, held_out_measures
from selftaught.text.preparing import Pretraining

_RANKED_TEXTS = 256
_MOST_CHECKS = 8
_PRIVATE_NOTES = ("            of the run share model/, heads.safetensors and README.md; the rest is for its owner",)
_KINDS: dict[type, str] = {MaskedLMHead: "masked-lm", CausalLMHead: "causal-lm"}


def run_pretraining(run: Run, ready: Pretraining) -> dict[str, Any]:
    """Train, or go on training, to the end of the budget; write the model and the reports.

    Raises:
        SystemExit: with 130, after Ctrl-C or SIGTERM; a checkpoint is written.
    """
    train = ready.recipe.train
    outcome = fit_recipe(
        run,
        ready.learner,
        ready.batches,
        train,
        unit="tokens",
        per_sample=round(ready.plan.sample_tokens),
        checks=_affordable_checks(ready),
        threads=None if world() > 1 else train.threads,
        entropy=ready.baseline.entropy,
        check=_checker(ready),
        other_steps=_private_steps(run, ready) if ready.guarantee else None,
    )
    report = _finish(run, ready, outcome)
    forget_key(run)
    return report


def _private_steps(run: Run, ready: Pretraining) -> Callable[[torch.optim.Optimizer, Plan], Steps]:
    assert ready.guarantee is not None
    key = noise_key(run, ready.recipe)
    return partial(private_steps, ready.learner, ready.batches, guarantee=ready.guarantee, key=key)


def _affordable_checks(ready: Pretraining) -> int:
    """Eight held-out measurements, or as many as take a tenth of the run: a forward pass is a third of a step."""
    measured = min(len(ready.corpus.held_out), ROWS * ready.recipe.train.length)
    return min(_MOST_CHECKS, int(0.1 * ready.plan.tokens / (measured / 3 + 1)))


def _checker(ready: Pretraining) -> Callable[[Progress], dict[str, Any]]:
    """What is measured now and then: the held-out loss, and the probe, or the rank of the features without labels."""
    texts = _held_out_texts(ready.corpus)

    def features(some: list[str]) -> np.ndarray:
        with ready.learner.autocast():
            return text_features(text_backbone(ready.learner.backbones), ready.corpus.tokenizer, some)

    def check(progress: Progress) -> dict[str, Any]:
        found = {f"held_out_{name}": value for name, value in _held_out(ready).items()}
        if ready.probe is not None:
            found |= ready.probe.score(features)
        if texts and (ready.probe is None or ready.objective.pooling):
            found |= _spread(ready, texts)
        if ready.guarantee is not None:
            found["epsilon"] = ready.guarantee.spent(progress.step)
        return found

    return check


def _spread(ready: Pretraining, texts: list[str]) -> dict[str, float]:
    """How many directions the features of texts use; of vectors that are trained, also how evenly they are spread."""
    backbone, tokenizer = text_backbone(ready.learner.backbones), ready.corpus.tokenizer
    with ready.learner.autocast():
        if ready.objective.pooling is None:
            return {"rank": effective_rank(text_features(backbone, tokenizer, texts))}
        vectors = sentence_vectors(backbone, tokenizer, texts, ready.objective.pooling)
    cosines = torch.from_numpy((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)])
    return {"rank": effective_rank(vectors), "uniformity": float(uniformity(cosines))}


def _held_out(ready: Pretraining) -> dict[str, float]:
    train, store = ready.recipe.train, ready.corpus.held_out
    batches = held_out_batches(store, ready.objective, ready.spec, train.length, train.seed, batch=train.batch)
    return evaluate(ready.learner, batches) if batches is not None else {}


def _held_out_texts(corpus: Corpus) -> list[str]:
    """Short pieces of the held-out text, for measures that need texts but no labels; none where there is but one."""
    count = min(_RANKED_TEXTS, len(corpus.held_out) // 32)
    count = count if count > 1 else 0
    pieces = corpus.held_out.take(np.arange(count * 32).reshape(count, 32))
    return [corpus.tokenizer.backend.decode(piece.tolist()) for piece in pieces]


def _finish(run: Run, ready: Pretraining, outcome: Outcome) -> dict[str, Any]:
    recipe, corpus = ready.recipe, ready.corpus
    means = _held_out(ready)
    tokens, size = len(corpus.held_out), corpus.held_out_bytes
    losses = ready.objective.token_losses
    measures = held_out_measures(means, ready.baseline, tokens, size, losses) if means else {}
    texts, vectors, notes = _held_out_texts(corpus), {}, list(outcome.notes)
    if ready.objective.pooling and texts:
        vectors = _spread(ready, texts)
        notes += filter(None, [collapse_sentence(vectors["uniformity"])])
    _save_model(run, ready)
    title = f"{recipe.objective.name}, {ready.plan.size}, {ready.plan.parameters / 1e6:.1f} M parameters"
    draw_curve(run.metrics, run.folder / "curve.png", _lines(ready), title)
    samples = outcome.progress.samples
    report = {
        "verb": "pretrain",
        "run": str(run.folder),
        "objective": recipe.objective.name,
        "size": ready.plan.size,
        "parameters": ready.plan.parameters,
        "vocabulary": ready.plan.vocabulary,
        "steps": outcome.progress.step,
        "tokens": round(samples * ready.plan.sample_tokens),
        "epochs": samples / len(ready.batches.source),
        "seconds": outcome.progress.seconds,
        "held_out": measures,
        **({"privacy": ready.guarantee.to_json()} if ready.guarantee else {}),
        "rows": corpus.tally,
        **({"vectors": vectors} if vectors else {}),
        "notes": notes,
    }
    _write_card(run, ready, report)
    lines = ["```", *summary(report), "```", "", *([NOT_COVERED, ""] if ready.guarantee else [])]
    write_report(run, report, [*lines, "![the loss over the run](curve.png)"])
    return report


def _save_model(run: Run, ready: Pretraining) -> None:
    """The transformers folder, with how it makes a text's vector if it does, and what has no place in it."""
    backbone, pooling = text_backbone(ready.learner.backbones), ready.objective.pooling
    with written_aside(run.model) as folder:
        save_model(folder, backbone, ready.learner.heads)
        continues = backbone.is_decoder and pooling is None
        ready.corpus.tokenizer.save(folder, backbone.longest_row, closes=not continues)
        if pooling is not None:
            save_pooling(folder, pooling, backbone.width, min(LONGEST_TEXT, backbone.longest_row))
    assert ready.spec.text is not None
    run.save_parts({"unigram": ready.spec.text.unigram, **head_parts(ready.learner.heads, backbone)})


def _lines(ready: Pretraining) -> dict[str, float]:
    """What the loss is to be compared with."""
    chance = ready.objective.chance(ready.spec, ready.batches.size)
    lines = {} if chance is None else {"chance": chance}
    # the loss of a sum is no cost of a token, though its members' may be
    return {"unigram": ready.baseline.unigram, **lines} if "loss" in ready.objective.token_losses else lines


def _write_card(run: Run, ready: Pretraining, report: dict[str, Any]) -> None:
    facts = {
        "objective": report["objective"],
        "learned from": ready.recipe.model.teacher,
        "architecture": text_backbone(ready.learner.backbones).config.model_type,
        "size": report["size"],
        "parameters": report["parameters"],
        "vocabulary": report["vocabulary"],
        "training text": ready.corpus.description,
        "tokens trained on": report["tokens"],
        "seconds": round(report["seconds"]),
        "language": "Chinese" if ready.corpus.chinese else None,
    }
    caveats = [
        "It knows what its training text says and how often, prejudices and errors included; nothing was filtered.",
        "Whether it helps on a task of yours is what `selftaught verdict` measures; a low loss does not say so.",
        "The licence of the training text applies to what may be done with the model; this card does not know it.",
    ]
    made = _KINDS.get(type(model_head(ready.learner.heads)), "feature-extraction")
    kind = SENTENCES if ready.objective.pooling else made
    measures = report["held_out"]
    if ready.guarantee is not None:  # of what is not covered the card says nothing
        own = ("training text", "tokens trained on", "language")
        facts = {name: fact for name, fact in facts.items() if name not in own} | ready.guarantee.facts()
        caveats, measures = [*caveats, NOT_COVERED, *([SEEDED] if ready.guarantee.seeded else [])], {}
    write_card(run, kind, facts, measures, caveats)


def _held_out_lines(held: dict[str, Any]) -> list[str]:
    """One line a loss: of a sum of objectives there are several."""
    lines = []
    for name in sorted(held, key=lambda name: name.count(".")):
        prefix, _, last = name.rpartition("loss")
        if last or not name.endswith("loss") or name in ("unigram_loss", "chance_loss"):
            continue
        line = f"held out    {name} {held[name]:.3f}"
        if (below := held.get(f"{prefix}below_unigram")) is not None:
            line += f" nats, {below:+.3f} below the unigram line ({held['unigram_loss']:.3f})"
        if (bits := held.get(f"{prefix}bits_per_byte")) is not None:
            line += f"; {bits:.3f} bits a byte"
        if (right := held.get(f"{prefix}accuracy")) is not None:
            line += f"; {right:.1%} right"
        if (recall := held.get(f"{prefix}recall")) is not None:
            line += f"; finds {recall:.1%} of the replaced, {held[f'{prefix}precision']:.1%} of its finds are right"
        lines.append(line)
    return lines


def summary(report: dict[str, Any]) -> list[str]:
    """The end of a run, for the terminal."""
    lines = [f"trained     {report['steps']:,} steps, {report['tokens']:,} tokens, {report['epochs']:.1f} epochs"]
    lines += _held_out_lines(report["held_out"]) or ["held out    nothing: the corpus is too small to hold text out"]
    if vectors := report.get("vectors"):
        spread = f"rank {vectors['rank']:.1f}, uniformity {vectors['uniformity']:.2f} (0 if all are one, -4 at best)"
        lines.append(f"vectors     of held-out text: {spread}")
    if privacy := report.get("privacy"):
        told = f"epsilon {privacy['epsilon']:.2f} at delta {privacy['delta']:.1e} for {privacy['unit']}"
        lines += [f"private     {told}", *_PRIVATE_NOTES, *([f"no secret   {SEEDED}"] if privacy["seeded"] else [])]
    lines += [f"note        {sentence}" for sentence in report["notes"]]
    return [*lines, f"run         {report['run']}  (model/, report.md, curve.png, README.md)"]
