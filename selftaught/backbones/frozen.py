"""A part of a learner that is asked and never changed."""

from functools import partial
from typing import Any, TypeVar

from torch import nn

from selftaught.errors import SelftaughtError

F = TypeVar("F", bound=nn.Module)


class Frozen(nn.Module):
    """A network that is trained already.

    Its weights are no part of the learner's state, for they are at hand where they came from; so no checkpoint holds
    them. Copies of a learner share it. Whoever asks it calls ``eval()`` first: ``learner.train()`` wakes all parts.
    """

    def freeze(self) -> None:
        """To be called when all parts are there."""
        self.requires_grad_(False)
        leave_out(self)

    def __deepcopy__(self, memo: Any) -> "Frozen":
        return self


def leave_out(module: nn.Module, *parts: str) -> None:
    """Let no checkpoint hold these parts of a module, all of it if none is named; by themselves they have a state."""
    begins = tuple(f"{part}." for part in parts) or ("",)
    module.register_state_dict_post_hook(partial(_without, begins))


def _without(begins: tuple[str, ...], module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for name in [name for name in state if name.startswith(tuple(prefix + begin for begin in begins))]:
        del state[name]


def frozen_teacher(backbones: nn.ModuleDict, kind: type[F]) -> F:
    """The teacher among a learner's backbones.

    Raises:
        SelftaughtError: if there is none.
    """
    if "teacher" not in backbones:
        raise SelftaughtError("there is no teacher to learn from", do="selftaught distill RUN DATA has one")
    found = backbones["teacher"]
    assert isinstance(found, kind)
    return found
