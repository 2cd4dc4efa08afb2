"""The peer's side of :mod:`benchmarks.mlm_vs_trainer`: transformers' Trainer and collator at their defaults."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from transformers import (
    AutoTokenizer,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks.bert import BATCH, LENGTH, SEED, Problem

DROPOUT = 0.1


@dataclass(frozen=True)
class TrainerSide:
    """Everything that is the same in all of its runs."""

    problem: Problem
    tokenizer: Any
    rows: datasets.Dataset
    scratch: Path

    @classmethod
    def of(cls, problem: Problem, tokenizer_folder: Path, scratch: Path) -> "TrainerSide":
        ids = problem.all_rows()
        assert problem.spec.text is not None
        columns = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "special_tokens_mask": problem.spec.text.special.numpy()[ids].astype(np.int64),
        }
        rows = datasets.Dataset.from_dict({name: list(values) for name, values in columns.items()})
        return cls(problem, AutoTokenizer.from_pretrained(tokenizer_folder), rows, scratch)

    def new_model(self) -> BertForMaskedLM:
        torch.manual_seed(SEED)
        return BertForMaskedLM(self.problem.config(DROPOUT))

    def train(self, model: BertForMaskedLM, count: int, **options: Any) -> list[float]:
        """``count`` steps, with a learning rate that falls to zero over them; when each of them ended."""
        clock = _Clock()
        arguments = TrainingArguments(
            output_dir=str(self.scratch),
            per_device_train_batch_size=BATCH,
            max_steps=count,
            seed=SEED,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            **options,
        )
        collator = DataCollatorForLanguageModeling(self.tokenizer)
        trainer = Trainer(model, arguments, data_collator=collator, train_dataset=self.rows, callbacks=[clock])
        trainer.remove_callback(PrinterCallback)  # it prints to stdout, where the result goes
        trainer.train()
        return clock.ends

    def speed(self, model: BertForMaskedLM, count: int) -> float:
        """Tokens a second over ``count`` steps, after one that warms up."""
        ends = self.train(model, count + 1)
        return count * BATCH * LENGTH / (ends[-1] - ends[0])

    def loss_after(self, rate: float, seconds: float, count: int) -> dict[str, float]:
        """Train about ``seconds``, which ``count`` steps should take; the held-out loss, and the time it did take."""
        began = time.perf_counter()
        model = self.new_model()
        self.train(model, count, learning_rate=rate)
        took = time.perf_counter() - began
        model.eval()
        loss = self.problem.loss(lambda batch: model.bert(batch["input_ids"]).last_hidden_state, model.cls)
        return {"rate": rate, "asked_seconds": seconds, "seconds": took, "steps": count, "loss": loss}


class _Clock(TrainerCallback):
    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.ends.append(time.perf_counter())
