"""What a run took: the memory of its steps, and not of what happens between them."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from selftaught.errors import SelftaughtError
from selftaught.loop import Progress
from selftaught.run.account import Account, keep_plan, planned_and_taken
from selftaught.run.folder import Run

MEGABYTE = 1 << 20


def test_the_memory_of_steps_and_of_nothing_else(tmp_path: Path) -> None:
    model, run = nn.Linear(1024, 1024), Run(tmp_path)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    account = Account(model, optimizer)
    model(torch.ones(1, 1024)).sum().backward()
    optimizer.step()
    _ = torch.ones(64 * MEGABYTE // 4)  # what a check holds
    account.rest()
    kept = torch.ones(32 * MEGABYTE // 4)  # a step's
    account.stepped(3.0)
    del kept
    account.stepped(1.0)
    account.stepped(1.0)
    account.close(run, Progress(2, 16, 0.5))
    keep_plan(run, lambda: {"flops_a_step": 1.0})
    keep_plan(run, lambda: {"flops_a_step": 2.0})  # of a run that goes on
    plan, taken = planned_and_taken(run)
    assert plan == {"flops_a_step": 1.0}
    assert (taken["steps"], taken["samples"], taken["seconds"]) == (2, 16, 0.5)
    assert taken["step_seconds"] == 1.0
    assert taken["memory_bytes"] == pytest.approx((32 + 8) * MEGABYTE, abs=4 * MEGABYTE)  # weights and moments are 8


@pytest.mark.parametrize(("text", "said"), [("[]", "no object"), ("{", "cannot be read"), (None, "no taken")])
def test_an_account_that_is_none(text: str | None, said: str, tmp_path: Path) -> None:
    keep_plan(Run(tmp_path), dict)
    if text is not None:
        (tmp_path / "taken.json").write_text(text, encoding="utf-8")
    with pytest.raises(SelftaughtError, match=said):
        planned_and_taken(Run(tmp_path))
    assert json.loads((tmp_path / "plan.json").read_text(encoding="utf-8")) == {}
