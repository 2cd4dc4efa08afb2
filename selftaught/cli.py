"""argv to verb, and nothing else."""

import sys

from cyclopts import App, CycloptsError, Parameter

from selftaught.errors import SelftaughtError
from selftaught.launch import joined, several
from selftaught.signals import listen
from selftaught.threads import share_cores

VERBS = {
    "check": "What is in the data, what is wrong with it, will it be enough.",
    "prepare": "Clean a large corpus, drop copies, and write shards that pretrain reads.",
    "pretrain": "Turn unlabelled text into a pretrained model.",
    "finetune": "Teach a pretrained model a task from labels.",
    "verdict": "Did self-supervision help? The label-efficiency curve beside honest baselines.",
    "distill": "Make a small model that keeps most of what a large one knows.",
    "evaluate": "The objective's or the task's own measures on held-out data.",
    "predict": "Ask a fine-tuned model about new texts.",
    "generate": "Let a causal language model continue a text.",
    "embed": "Write the vectors of texts to a Parquet file.",
    "search": "The pictures that are nearest to words, or to another picture.",
    "similarity": "How alike texts are in meaning; the nearest of many.",
    "export": "Write a model in a form that runs without this library.",
    "plan": "What a pretraining of any size takes: operations, memory, communication, storage, failures, time.",
    "objectives": "The objectives and tasks there are, with their options.",
}


_RANKED = ("pretrain", "finetune")


def build() -> App:
    """The command line; a verb's module is imported only when the verb is called."""
    app = App(
        name="selftaught",
        help="Turn data that nobody has labelled into a model that needs few labels.",
        version=_version,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,  # main says so
        default_parameter=Parameter(negative=()),  # every flag is off by itself: --no-json says nothing
    )
    for verb, sentence in VERBS.items():
        app.command(f"selftaught.verbs.{verb}:{verb}", name=verb, help=sentence)
    return app


def main() -> None:
    """The console script. Exit codes: 0 done, 1 a clear error, 2 wrong usage, 130 interrupted."""
    share_cores()
    if several():
        with joined():
            _refuse_alone(sys.argv[1:])
            _called(sys.argv[1:])
    listen()
    try:
        _called(sys.argv[1:])
    except SelftaughtError as error:
        print(f"selftaught: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output went away, as with `| head`
        sys.stderr.close()
        sys.exit(1)
    except (MemoryError, RuntimeError, OSError) as error:
        _tell_of_memory(error)
        sys.exit(1)
    except KeyboardInterrupt:
        print("selftaught: interrupted", file=sys.stderr)
        sys.exit(130)


def _tell_of_memory(error: Exception) -> None:
    """Where memory ran out it is said; anything else is a fault of ours, and is raised."""
    from selftaught.memory import is_out_of_memory

    if not is_out_of_memory(error):
        raise error
    said = f" ({error})" if str(error) else ""
    do = "give it less at once (a smaller --batch or --size, less data), or more memory"
    print(f"selftaught: {SelftaughtError(f'this needed more memory than there is{said}', do=do)}", file=sys.stderr)


def _called(words: list[str]) -> None:
    try:
        build()(words, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:  # it has said what is wrong
        sys.exit(2)


def _refuse_alone(words: list[str]) -> None:
    """Of several processes only training can make use."""
    if words and words[0] in VERBS and words[0] not in _RANKED:
        do = f"start it without torchrun; {' and '.join(_RANKED)} have ranks"
        raise SelftaughtError(f"{words[0]} works in one process", do=do)


def _version() -> str:
    from importlib.metadata import version

    return version("selftaught")


if __name__ == "__main__":
    main()
