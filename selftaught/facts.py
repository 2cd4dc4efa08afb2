"""What a task says of its targets (:meth:`~selftaught.task.Task.facts`), in words."""

from collections.abc import Sequence


def shown(names: Sequence[str], most: int = 8) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def shown_fact(values: dict[str, float]) -> str:
    """Counts with how many there are, such as ``2: pos 17, neg 3``; other numbers by themselves."""
    if are_counts(values):
        return f"{len(values)}: " + shown([f"{name} {value}" for name, value in values.items()])
    return shown([f"{name} {value:.4g}" for name, value in values.items()])


def are_counts(values: dict[str, float]) -> bool:
    """Whether a fact counts something, rather than measuring it."""
    return all(isinstance(value, int) for value in values.values())
