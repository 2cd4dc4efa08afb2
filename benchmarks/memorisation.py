"""What a language model gives away of its training text, with and without ``--private`` (Carlini et al. 2019, "The
Secret Sharer").

Canaries, sentences with a secret of six random digits, are planted in real text: some once, some 4 and some 16 times;
others never, for comparison. A causal language model is then trained on it, and asked how likely it finds each canary
beside 16,383 others with digits of their own. The exposure is log2(16384) - log2(rank): 14 bits if the model finds it
the likeliest of all, and 1.4 on average if the model knows nothing of it.

    python -m benchmarks.memorisation --data messages.csv --text text --out /tmp/canaries

Both sides have the same network, a token for each byte, and the same number of passes over the text; what else they do
is their own default. A canary that stands in the text 16 times is 16 documents: epsilon is promised to each alone.
"""

import argparse
import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from selftaught.backbones.heads import load_causal_lm
from selftaught.data.hold_out import hold_out
from selftaught.data.scan import scan
from selftaught.data.source import open_text
from selftaught.data.tally import Tally
from selftaught.data.tokenise import TextTokenizer, load_tokenizer
from selftaught.metrics.interval import t_interval
from selftaught.randomness import derive
from selftaught.verbs.pretrain import pretrain

FORMAT = "The number of my card is {}."
DIGITS = 6
PLANTED = {0: 8, 1: 8, 4: 8, 16: 4}  # how often each canary stands in the text, and how many such there are
REFERENCES = (1 << 14) - 1


@dataclass(frozen=True)
class Canaries:
    """The secrets of a seed.

    Args:
        planted: sentence by sentence, how often it stands in the text.
        references: sentences of the same form that never do.
    """

    planted: dict[str, int]
    references: tuple[str, ...]

    @classmethod
    def of(cls, seed: int) -> "Canaries":
        drawn = np.random.default_rng(derive("canaries", seed)).permutation(10**DIGITS)
        sentences = [FORMAT.format(f"{number:0{DIGITS}}") for number in drawn[: REFERENCES + sum(PLANTED.values())]]
        times = [n for n, many in PLANTED.items() for _ in range(many)]
        return cls(dict(zip(sentences, times, strict=False)), tuple(sentences[len(times) :]))

    def plant(self, texts: list[str], file: Path, seed: int) -> None:
        """Write the texts and the canaries among them, in an order in which no canary is held out."""
        rows = [*texts, *(sentence for sentence, times in self.planted.items() for _ in range(times))]
        drawn = np.random.default_rng(derive("order", seed))
        drawn.shuffle(rows)
        while True:
            file.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
            held = hold_out(scan(open_text(file, text="text"), Tally()).sizes, derive("hold out", seed))
            wrong = [i for i in held if rows[i] in self.planted]
            if not wrong:
                return
            free = [i for i, row in enumerate(rows) if i not in held and row not in self.planted]
            for i, j in zip(wrong, drawn.choice(free, len(wrong), replace=False).tolist(), strict=True):
                rows[i], rows[j] = rows[j], rows[i]

    def exposures(self, run: Path) -> dict[int, list[float]]:
        """Bits of exposure of each canary, by how often it was planted."""
        model, tokenizer = load_causal_lm(run / "model").eval(), load_tokenizer(run / "model")
        others = np.sort(_costs(model, tokenizer, self.references))
        own = _costs(model, tokenizer, tuple(self.planted))
        ranks = 1 + np.searchsorted(others, own, "left")
        found: dict[int, list[float]] = {times: [] for times in PLANTED}
        for times, rank in zip(self.planted.values(), ranks, strict=True):
            found[times].append(math.log2(REFERENCES + 1) - math.log2(rank))
        return found


@torch.no_grad()
def _costs(model: Any, tokenizer: TextTokenizer, sentences: tuple[str, ...]) -> np.ndarray:
    """What the model would pay for each sentence, in nats; all have as many tokens."""
    found = []
    ids = torch.tensor(tokenizer.framed(sentences, 1 << 20))
    for part in ids.split(256):
        logits = model(input_ids=part).logits[:, :-1].flatten(0, 1)
        found.append(F.cross_entropy(logits, part[:, 1:].flatten(), reduction="none").view(len(part), -1).sum(1))
    return torch.cat(found).double().numpy()


def train(file: Path, out: Path, seed: int, passes: float, epsilon: float | None, bytes_of: Path) -> dict[str, Any]:
    """The report of a run, from the folder if it has ended there.

    Args:
        epsilon: of a private run; None for an ordinary one, which takes the tokenizer of the run ``bytes_of``.
    """
    private = {} if epsilon is None else {"private": True, "epsilon": epsilon}
    given = [] if epsilon is not None else [f"model.tokenizer={bytes_of}"]
    common = {"objective": "causal_lm", "text": "text", "size": "tiny", "epochs": passes, "seed": seed, "device": "cpu"}
    return pretrain(str(file), out=out, set_=given, **common, **private)


def measured(report: dict[str, Any], canaries: Canaries) -> dict[str, Any]:
    exposures = canaries.exposures(Path(report["run"]))
    return {
        "epsilon": (report.get("privacy") or {}).get("epsilon"),
        "noise": (report.get("privacy") or {}).get("noise"),
        "steps": report["steps"],
        "seconds": report["seconds"],
        "bits_per_byte": report["held_out"]["bits_per_byte"],
        "exposure": {str(times): found for times, found in exposures.items()},
    }


def result(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds, with 95 % intervals where there are several."""
    found: dict[str, Any] = {"name": "memorisation", "unit": "bits", "most": math.log2(REFERENCES + 1), "rows": rows}
    for side in dict.fromkeys(row["side"] for row in rows):
        own = [row for row in rows if row["side"] == side]
        found[side] = {
            "bits_per_byte": _interval([row["bits_per_byte"] for row in own]),
            **{
                f"exposure_{times}": _interval([mean(row["exposure"][times]) for row in own])
                for times in own[0]["exposure"]
            },
        }
    return found


def _interval(values: list[float]) -> dict[str, float | int | None]:
    """Their mean, and between which bounds that of all seeds lies; None for the bounds of one seed."""
    found = t_interval(values)
    bounds = (found.low, found.high) if len(values) > 1 else (None, None)
    return {"mean": found.mean, "low": bounds[0], "high": bounds[1], "seeds": len(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a table or a file of JSON lines with a short text in each row")
    parser.add_argument("--text", help="its column")
    parser.add_argument("--out", type=Path, help="where the runs are kept; a temporary folder if not given")
    parser.add_argument("--epsilon", type=float, nargs="+", default=[8.0])
    parser.add_argument("--passes", type=float, default=6.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    texts = [row.text for row in open_text(arguments.data, text=arguments.text).rows(Tally())]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        out = arguments.out or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        for seed in arguments.seeds:
            canaries, file = Canaries.of(seed), out / f"text-{seed}.jsonl"
            canaries.plant(texts, file, seed)
            for epsilon in (*arguments.epsilon, None):
                side = "ordinary" if epsilon is None else f"epsilon {epsilon:g}"
                folders = [
                    out / f"{name.replace(' ', '-')}-{seed}" for name in (side, f"epsilon {arguments.epsilon[0]:g}")
                ]
                report = train(file, folders[0], seed, arguments.passes, epsilon, folders[1])
                rows.append({"seed": seed, "side": side, **measured(report, canaries)})
    print(json.dumps(result(rows), indent=1))


if __name__ == "__main__":
    main()
