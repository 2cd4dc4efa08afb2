"""The floor of a training step: its matrix products alone, forward and backward."""

import time
from statistics import median

import torch

from benchmarks.bert import BATCH, HEADS, INNER, LAYERS, LENGTH, VOCABULARY, WIDTH

TOKENS = BATCH * LENGTH
MASKED = BATCH * round(0.15 * LENGTH)
HEAD_WIDTH = WIDTH // HEADS

# (batch, rows, inner, columns) of each product of the forward pass; the backward pass has two of the same size.
LAYER = [
    *[(1, TOKENS, WIDTH, WIDTH)] * 4,
    (1, TOKENS, WIDTH, INNER),
    (1, TOKENS, INNER, WIDTH),
    (BATCH * HEADS, LENGTH, HEAD_WIDTH, LENGTH),
    (BATCH * HEADS, LENGTH, LENGTH, HEAD_WIDTH),
]
PRODUCTS = [*LAYER * LAYERS, (1, MASKED, WIDTH, WIDTH), (1, MASKED, WIDTH, VOCABULARY)]


def products_speed(dtype: torch.dtype, repeats: int = 5) -> float:
    """Tokens a second if a step were nothing but its products, the vocabulary asked at masked positions only."""
    operands = [
        (torch.ones(b, n, k, dtype=dtype), torch.ones(b, k, m, dtype=dtype), torch.ones(b, n, m, dtype=dtype))
        for b, n, k, m in PRODUCTS
    ]
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        for x, w, y in operands:
            x @ w
            y @ w.mT
            x.mT @ y
        times.append(time.perf_counter() - began)
    return TOKENS / median(times)
