"""The optimizer's groups."""

import torch
from torch import nn

from selftaught.optim import adamw, parameter_groups


def test_norms_and_biases_do_not_decay() -> None:
    module = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    decayed, plain = parameter_groups(module, 0.1)
    assert [tuple(p.shape) for p in decayed["params"]] == [(5, 4), (3, 4)]  # type: ignore[attr-defined]
    assert [tuple(p.shape) for p in plain["params"]] == [(3,), (3,), (3,)]  # type: ignore[attr-defined]
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)


def test_frozen_and_tied_weights() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    module[0].requires_grad_(False)
    module[2].weight = module[1].weight
    optimizer = adamw(module, 0.1)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 3


def test_without_a_gradient_only_matrices_shrink() -> None:
    module = nn.Linear(2, 2)
    with torch.no_grad():
        module.weight.fill_(1.0)
        module.bias.fill_(1.0)
    optimizer = adamw(module, 0.1, weight_decay=0.5)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.allclose(module.weight, torch.full((2, 2), 0.95))
    assert torch.equal(module.bias, torch.ones(2))
