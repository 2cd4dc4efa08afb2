"""A part of a learner that is asked and never changed."""

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
        self.register_state_dict_post_hook(_leave_out)

    def __deepcopy__(self, memo: Any) -> "Frozen":
        return self


def _leave_out(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
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
