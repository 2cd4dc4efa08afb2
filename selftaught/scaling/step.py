"""What a step takes, counted on a few rows of a real batch: operations, and what is kept for going backward.

An objective may read its samples twice, pad them, ask about a few places only or have networks of its own. No formula
knows all of that; a step that is taken does.
"""

import copy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from selftaught.data.loader import Batches
from selftaught.loop import Learner, divide, to_device
from selftaught.objective import Batch
from selftaught.scaling.arithmetic import SAVED_BYTES, STATE_BYTES

_FEW, _MORE = 2, 6  # rows
_LOOKED_AT = 8  # batches, for how wide they are


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_flop_count(query, key, value)


def _attention_backward(gradient: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return sdpa_backward_flop_count(gradient, query, key, value)


_ON_PROCESSORS = {  # torch counts the fused attention of GPUs only
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


@dataclass(frozen=True)
class StepCost:
    """Of a step.

    Args:
        flops: floating point operations of matrix products, convolutions and attention, forward and backward; what a
            fused attention computes twice counts twice, as torch counts it.
        kept: bytes of the activations when the loss is there, and of two gradients of the largest: what comes to an
            operation going backward, and what leaves it.
    """

    flops: float
    kept: float

    def extended(self, rows: int, other: "StepCost", others: int, wanted: int) -> "StepCost":
        """Of so many rows as are ``wanted``, on the line through this, of so many ``rows``, and another."""
        way = (wanted - rows) / (others - rows)
        return StepCost(self.flops + way * (other.flops - self.flops), self.kept + way * (other.kept - self.kept))


def counting() -> FlopCounterMode:
    """Counts the operations within it."""
    return FlopCounterMode(display=False, custom_mapping=_ON_PROCESSORS)


def cost_of(learner: Learner, batch: Batch) -> StepCost:
    """That of a step on ``batch``, taken by a copy of the learner."""
    twin = copy.deepcopy(learner).train()
    batch, kept = to_device(batch, twin.device), _Kept.beside(twin)
    devices = [twin.device] if twin.device.type == "cuda" else []
    with torch.random.fork_rng(devices), counting() as counter:
        with saved_tensors_hooks(kept.note, lambda tensor: tensor):
            loss = twin.objective.total(divide(twin(batch), batch["n"]))
        loss.backward()
    return StepCost(counter.get_total_flops(), kept.bytes)


def step_cost(learner: Learner, batches: Batches) -> StepCost:
    """That of a step on one of ``batches``: operations of a usual one, memory of a wide one.

    Of the widest of several batches few rows and some more are counted, padded as the whole batch is. What each row
    adds, the others are taken to add too.
    """
    size = batches.size
    drawn = [batches.drawn(number * size) for number in range(_LOOKED_AT)]
    looked_at = [batches.source.take(*places) for places in drawn]
    widths = [_numbers(samples) for samples in looked_at]
    widest = widths.index(max(widths))

    def of(rows: int) -> StepCost:
        few = {name: tensor[:rows] for name, tensor in looked_at[widest].items()}
        indices, epochs = (places[:rows] for places in drawn[widest])
        return cost_of(learner, batches.asked(few, indices, epochs))

    whole = of(size) if size <= _MORE else of(_FEW).extended(_FEW, of(_MORE), _MORE, size)
    return replace(whole, flops=whole.flops * sum(widths) / len(widths) / widths[widest])


def planned_cost(learner: Learner, batches: Batches, accumulate: int) -> dict[str, Any]:
    """What training is announced to take.

    Args:
        accumulate: batches a step.
    """
    cost = step_cost(learner, batches)
    saved = sum(p.numel() * (SAVED_BYTES if p.requires_grad else 4) for p in learner.parameters())
    return {
        "flops_a_step": accumulate * cost.flops,
        "memory_bytes": state_bytes(learner) + round(cost.kept),
        "checkpoint_bytes": saved,
        "samples_a_step": accumulate * batches.size,
    }


def _numbers(samples: Batch) -> int:
    return sum(tensor.numel() for tensor in samples.values())


def state_bytes(learner: Learner) -> int:
    """Bytes of weights, gradients and two moments, in float32."""
    return sum(p.numel() * (STATE_BYTES if p.requires_grad else 4) for p in learner.parameters())


@dataclass
class _Kept:
    """What autograd keeps, each piece of memory once, and none that is there anyway."""

    there: set[int]
    pieces: dict[int, int] = field(default_factory=dict)

    @classmethod
    def beside(cls, learner: Learner) -> "_Kept":
        return cls({_place(tensor) for tensor in (*learner.parameters(), *learner.buffers())})

    def note(self, tensor: Tensor) -> Tensor:
        if (place := _place(tensor)) not in self.there:
            self.pieces[place] = tensor.untyped_storage().nbytes()
        return tensor

    @property
    def bytes(self) -> int:
        return sum(self.pieces.values()) + 2 * max(self.pieces.values(), default=0)


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
