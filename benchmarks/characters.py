"""The problem that both sides of :mod:`benchmarks.clm_vs_trainer` solve: a text's characters, and nanoGPT's recipe."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import GPT2Config

from selftaught.backbones.hf import TextBackbone, backbone_from_config, new_decoder
from selftaught.backbones.presets import Size
from selftaught.data.pack import PackedRows
from selftaught.data.store import StoreWriter, TokenStore
from selftaught.objective import Spec, TextSpec

LAYERS, HEADS, WIDTH, CONTEXT = 4, 4, 128, 64


@dataclass(frozen=True)
class Characters:
    """A text as numbers of its characters, the last tenth held out.

    Args:
        length: characters a row: the context and the one after it.
        batch, rate, final, warmup, decay, beta2: nanoGPT's ``train_shakespeare_char`` on a processor.
    """

    train: TokenStore
    held_out: TokenStore
    spec: Spec
    length: int = CONTEXT + 1
    batch: int = 12
    rate: float = 1e-3
    final: float = 0.1
    warmup: int = 100
    decay: float = 0.1
    beta2: float = 0.99

    @classmethod
    def of(cls, file: Path, folder: Path) -> "Characters":
        text = file.read_text(encoding="utf-8")
        alphabet = sorted(set(text))
        ids = np.searchsorted(alphabet, list(text)).astype(np.uint16)
        cut = len(ids) * 9 // 10
        stores = []
        for name, part in (("train", ids[:cut]), ("held_out", ids[cut:])):
            writer = StoreWriter(folder / name, source=file.name, tokenizer="characters", vocab_size=len(alphabet))
            writer.begin_document()
            writer.add(part)
            writer.close()
            stores.append(TokenStore(folder / name))
        none = torch.zeros(len(alphabet), dtype=torch.bool)
        shares = torch.full((len(alphabet),), 1 / len(alphabet))
        text_spec = TextSpec(len(alphabet), 0, None, None, None, none, ~none, tuple(alphabet), shares)
        return cls(*stores, spec=Spec(text=text_spec))

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    @property
    def vocab_size(self) -> int:
        assert self.spec.text is not None
        return self.spec.text.vocab_size

    def config(self) -> GPT2Config:
        """The network that both sides train."""
        return GPT2Config(
            vocab_size=self.vocab_size,
            n_positions=self.length,
            n_embd=WIDTH,
            n_layer=LAYERS,
            n_head=HEADS,
            activation_function="gelu",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
        )

    def gpt(self) -> TextBackbone:
        return backbone_from_config(self.config())

    def preset(self) -> TextBackbone:
        """A network of our own default architecture and the same size."""
        size = Size(layers=LAYERS, width=WIDTH, head_width=WIDTH // HEADS, inner=384, window=0)
        return new_decoder(size, self.vocab_size, pad_id=0, bos_id=0, eos_id=0, longest_row=self.length)

    def all_rows(self) -> np.ndarray:
        """The training text as rows, int64 [N, T]."""
        return _rows(self.train, self.length)

    @torch.no_grad()
    def loss(self, logits: Callable[[Tensor], Tensor]) -> float:
        """Nats a character over the whole held-out text, in float32."""
        total = count = 0.0
        for ids in torch.from_numpy(_rows(self.held_out, self.length)).split(256):
            said = logits(ids)[:, :-1].flatten(0, 1)
            total += float(F.cross_entropy(said, ids[:, 1:].flatten(), reduction="sum"))
            count += ids[:, 1:].numel()
        return total / count

    def products_speed(self, dtype: torch.dtype, repeats: int = 20) -> float:
        """Steps a second if a step were nothing but its matrix products, forward and backward."""
        tokens, head = self.batch * self.length, WIDTH // HEADS
        rows = self.batch * HEADS
        layer = [(1, tokens, WIDTH, 3 * WIDTH), (1, tokens, WIDTH, WIDTH), (1, tokens, WIDTH, 4 * WIDTH)]
        layer += [(1, tokens, 4 * WIDTH, WIDTH), (rows, self.length, head, self.length)]
        layer += [(rows, self.length, self.length, head)]
        shapes = layer * LAYERS + [(1, tokens, WIDTH, self.vocab_size)]
        operands = [
            (torch.ones(b, n, k, dtype=dtype), torch.ones(b, k, m, dtype=dtype), torch.ones(b, n, m, dtype=dtype))
            for b, n, k, m in shapes
        ]
        times = []
        for _ in range(repeats):
            began = time.perf_counter()
            for x, w, y in operands:
                x @ w
                y @ w.mT
                x.mT @ y
            times.append(time.perf_counter() - began)
        return 1 / median(times)


def _rows(store: TokenStore, length: int) -> np.ndarray:
    rows = PackedRows(store, length, seed=None)
    count = np.arange(len(rows))
    return rows.take(count, np.zeros_like(count))["input_ids"].numpy()
