"""The same of a peer, transformers' Trainer, with its settings for full determinism."""

import hashlib
import multiprocessing
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.torture.running import Started, to_file
from tests.torture.table import Tried

pytest.importorskip("accelerate")

_FORKED = multiprocessing.get_context("forkserver")
_STEPS, _ROWS, _BATCH, _LENGTH, _VOCABULARY = 40, 64, 4, 16, 300  # two and a half epochs


def trainer(folder: Path, save_steps: int) -> Any:
    """Masked language modelling by a tiny BERT, which saves often."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, Trainer, TrainingArguments, set_seed

    def masked(rows: list[Any]) -> dict[str, torch.Tensor]:
        ids = torch.tensor(rows)
        hidden = torch.rand(ids.shape) < 0.15
        hidden[:, 0] = True
        return {"input_ids": ids.masked_fill(hidden, 1), "labels": ids.masked_fill(~hidden, -100)}

    settings = TrainingArguments(
        output_dir=str(folder),
        max_steps=_STEPS,
        per_device_train_batch_size=_BATCH,
        save_strategy="steps",
        save_steps=save_steps,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=0,
        full_determinism=True,
        remove_unused_columns=False,
    )
    set_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = BertForMaskedLM(BertConfig(vocab_size=_VOCABULARY, max_position_embeddings=32, **sizes))
    drawn = random.Random(0)
    rows = [[drawn.randrange(5, _VOCABULARY) for _ in range(_LENGTH)] for _ in range(_ROWS)]
    return Trainer(model=model, args=settings, train_dataset=rows, data_collator=masked)


def digest(model: Any) -> str:
    weights = {name: tensor.detach().numpy().tobytes() for name, tensor in sorted(model.state_dict().items())}
    return hashlib.sha256(b"".join(weights.values())).hexdigest()


def train(folder: Path, log: Path, save_steps: int) -> None:
    """Train to the end, from the last checkpoint if there is one, as its manual says; leave the weights' hash."""
    import torch

    to_file(log)
    torch.set_num_threads(1)
    made = trainer(folder, save_steps)
    (folder / "begun").touch()
    made.train(resume_from_checkpoint=True if any(folder.glob("checkpoint-*")) else None)
    (folder / "done").write_text(digest(made.model), encoding="utf-8")


def start(folder: Path, save_steps: int = 2) -> Started:
    folder.mkdir(exist_ok=True)
    log = folder.with_suffix(".said")
    process = _FORKED.Process(target=train, args=(folder, log, save_steps))
    process.start()
    return Started(process, log)


def half_written(folder: Path) -> bool:
    return any(not (place / "trainer_state.json").exists() for place in folder.glob("checkpoint-*"))


@pytest.mark.torture
def test_trainer_is_killed(tmp_path: Path, tried: Tried) -> None:
    undisturbed = start(tmp_path / "undisturbed")
    undisturbed.until((tmp_path / "undisturbed" / "begun").exists)
    began = time.perf_counter()
    assert undisturbed.wait() == 0, undisturbed.said()
    seconds, expected = time.perf_counter() - began, (tmp_path / "undisturbed" / "done").read_text(encoding="utf-8")
    moments, lost, failed, while_saving = random.Random(0), 0, 0, 0
    for number in range(10):
        folder, saves = tmp_path / str(number), number % 5
        started = start(folder)
        if number < 5:
            started.until(
                lambda folder=folder, saves=saves: len([*folder.glob("checkpoint-*")]) > saves and half_written(folder)
            )
        else:
            started.until((folder / "begun").exists)
            time.sleep(moments.uniform(0, seconds))
        started.kill()
        while_saving += half_written(folder)
        code = start(folder).wait()
        failed += code != 0
        lost += code != 0 or (folder / "done").read_text(encoding="utf-8") != expected
    note = f"{while_saving} killed while saving; {failed} could not be resumed"
    tried("1 · SIGKILL, transformers' Trainer: final weights", 10, lost, note, peer=True)


def resume_from_each(folder: Path, log: Path) -> None:
    """One run that keeps a checkpoint of each step, and from each a run to the end."""
    import torch

    to_file(log)
    torch.set_num_threads(1)
    made = trainer(folder / "undisturbed", 1)
    made.train()
    expected, other = digest(made.model), 0
    for step in range(1, _STEPS + 1):
        again = trainer(folder / "again", _STEPS)
        again.train(resume_from_checkpoint=str(folder / "undisturbed" / f"checkpoint-{step}"))
        other += digest(again.model) != expected
        shutil.rmtree(folder / "again")
    (folder / "done").write_text(str(other), encoding="utf-8")


@pytest.mark.torture
def test_trainer_is_resumed_after_each_step(tmp_path: Path, tried: Tried) -> None:
    process = _FORKED.Process(target=resume_from_each, args=(tmp_path, tmp_path / "said"))
    process.start()
    started = Started(process, tmp_path / "said")
    assert started.wait(400) == 0, started.said()
    other = int((tmp_path / "done").read_text(encoding="utf-8"))
    note = f"{_STEPS} steps, {_STEPS * _BATCH / _ROWS} epochs"
    tried("3 · resumed after each step, transformers' Trainer", _STEPS, other, note, peer=True)
