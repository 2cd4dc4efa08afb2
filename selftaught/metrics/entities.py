"""How good tags are, entity by entity: seqeval's numbers, which are those of the shared tasks of CoNLL."""

from collections.abc import Sequence

Tags = Sequence[Sequence[str]]


def entity_scores(truth: Tags, said: Tags) -> dict[str, float]:
    """``{"f1": …, "precision": …, "recall": …}``, each in [0, 1], of all entities together; 0 if there is none.

    An entity is right if its words and its type are. An I- tag that goes on with nothing begins an entity, as conlleval
    has it (Tjong Kim Sang and De Meulder 2003): tags that were said without regard to any scheme can be scored too.

    Args:
        truth, said: IOB2 tags of the words of each sentence.
    """
    from seqeval.metrics import f1_score, precision_score, recall_score

    scores = {"f1": f1_score, "precision": precision_score, "recall": recall_score}
    lists = _lists(truth), _lists(said)
    return {name: float(score(*lists, zero_division=0)) for name, score in scores.items()}


def scores_by_type(truth: Tags, said: Tags) -> dict[str, dict[str, float | None]]:
    """Of each type in ``truth``, the most frequent first: ``rows`` (entities), ``recall``, ``precision`` and ``f1``.

    The precision is None where the type was never said.
    """
    from seqeval.metrics import classification_report

    there, named = (set(_types(tags)) for tags in (truth, said))
    if not there:
        return {}
    report = classification_report(_lists(truth), _lists(said), output_dict=True, zero_division=0)
    found: dict[str, dict[str, float | None]] = {
        kind: {
            "rows": int(report[kind]["support"]),
            "recall": float(report[kind]["recall"]),
            "precision": float(report[kind]["precision"]) if kind in named else None,
            "f1": float(report[kind]["f1-score"]),
        }
        for kind in there
    }
    return dict(sorted(found.items(), key=lambda one: (-(one[1]["rows"] or 0), one[0])))


def _types(tags: Tags) -> list[str]:
    return [tag[2:] for some in tags for tag in some if tag != "O"]


def _lists(tags: Tags) -> list[list[str]]:
    return [list(some) for some in tags]
