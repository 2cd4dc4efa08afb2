"""What a private run has to refuse: whatever lets one sample reach the weights by more ways than its own gradient."""

from torch import nn

from selftaught.errors import SelftaughtError
from selftaught.objective import Objective, Sum
from selftaught.private.guarantee import require_opacus


def refuse_what_has_no_bound(objective: Objective) -> None:
    """Refuse an objective in which one sample reaches the weights by more ways than its own gradient.

    Raises:
        SelftaughtError: with the reason.
    """
    require_opacus()
    members = objective.members if isinstance(objective, Sum) else (objective,)
    for member in members:
        if why := _unbounded(member):
            raise SelftaughtError(
                f"{member.name} cannot be trained with --private: {why}",
                do="mlm and causal_lm can, for text; selftaught objectives lists all",
            )


def _unbounded(objective: Objective) -> str | None:
    if objective.couples_batch:
        return "its loss compares the samples of a batch with each other, so that one changes the gradients of all"
    if objective.samples == "pairs":
        return "it puts sentences of two documents into one sample, and several samples come from one document"
    if objective.samples == "sentences":
        return "several of its samples come from one document, and what is protected is the document"
    if objective.taught:
        return "it learns from a teacher as well, and what that has seen is not covered"
    return None


def refuse_shared_statistics(network: nn.Module) -> None:
    """Refuse batch normalisation: it mixes samples, and keeps their means without any noise.

    Raises:
        SelftaughtError: naming the module.
    """
    for name, part in network.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise SelftaughtError(
                f"this network cannot be trained with --private: {name} normalises over the batch, and keeps the "
                "samples' means without any noise",
                do="take a network without batch normalisation",
            )
