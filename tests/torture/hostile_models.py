"""Models made to hurt: MODELS must be refused; with GOOD_MODELS, what hurts lies beside what is good."""

import json
import os
import struct
from itertools import pairwise
from pathlib import Path

from tests.torture.hostile import Make, Scene, case, checkpoint, pickled

MODELS: dict[str, Make] = {}
GOOD_MODELS: dict[str, Make] = {}


MODELS["weights that are a pickle"] = lambda s: s.spoiled(model__safetensors=None, pytorch_model__bin=checkpoint(s))


MODELS["a pickle named .safetensors"] = lambda s: s.spoiled(model__safetensors=pickled(s))


MODELS["a checkpoint of torch named .safetensors"] = lambda s: s.spoiled(model__safetensors=checkpoint(s))


MODELS["a head of safetensors of an exabyte"] = lambda s: s.spoiled(
    model__safetensors=struct.pack("<Q", 1 << 60) + b"{}"
)


MODELS["a head of safetensors of 90 MB"] = lambda s: s.spoiled(
    model__safetensors=struct.pack("<Q", 90_000_000) + b"{" + b" " * 1000
)


MODELS["a tokenizer that is a pickle"] = lambda s: s.spoiled(tokenizer__json=pickled(s), tokenizer__pkl=pickled(s))


MODELS["no tokenizer but pickles"] = lambda s: s.spoiled(tokenizer__json=None, tokenizer__pkl=pickled(s))


MODELS["a tokenizer nested too deep"] = lambda s: s.spoiled(tokenizer__json='{"model":' + "[" * 200_000)


MODELS["a configuration nested too deep"] = lambda s: s.spoiled(
    config__json='{"model_type": "bert", "x":' + "[" * 200_000
)


MODELS["a configuration that is a list"] = lambda s: s.spoiled(config__json="[1, 2]")


MODELS["a layer of a million units"] = lambda s: s.spoiled(
    config__json=s.config(hidden_size=1 << 20, intermediate_size=1 << 22)
)


MODELS["a billion layers of a plain encoder"] = lambda s: s.spoiled(
    config__json=json.dumps(
        {"model_type": "bert", "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 10**9}
    )
)


MODELS["a billion layers"] = lambda s: s.spoiled(config__json=s.config(num_hidden_layers=10**9))


MODELS["a vocabulary of a trillion"] = lambda s: s.spoiled(config__json=s.config(vocab_size=10**12))


def _tensors(offsets: tuple[int, int], shape: list[int]) -> bytes:
    head = json.dumps({"embeddings.word_embeddings.weight": {"dtype": "F32", "shape": shape, "data_offsets": offsets}})
    return struct.pack("<Q", len(head)) + head.encode() + bytes(64)


MODELS["tensors beyond the end of the file"] = lambda s: s.spoiled(model__safetensors=_tensors((0, 1 << 40), [1 << 38]))


MODELS["tensors whose shape overflows"] = lambda s: s.spoiled(model__safetensors=_tensors((0, 64), [1 << 62, 1 << 62]))


MODELS["attention that is a kernel from elsewhere"] = lambda s: s.spoiled(
    config__json=s.config(_attn_implementation="evil/kernel", attn_implementation="evil/kernel")
)


@case(MODELS, "shards that lie outside, and are pickles")
def _shards(scene: Scene) -> Path:
    (scene.outside / "evil.bin").write_bytes(checkpoint(scene))
    index = json.dumps({"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": "../../outside/evil.bin"}})
    return scene.spoiled(
        model__safetensors=None, model__safetensors__index__json=index, pytorch_model__bin__index__json=index
    )


@case(MODELS, "an architecture that is code in the folder")
def _code(scene: Scene) -> Path:
    refers = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoModelForMaskedLM": "evil.Model"}
    return scene.spoiled(config__json=json.dumps({"model_type": "evil", "auto_map": refers}), evil__py=scene.code())


@case(GOOD_MODELS, "a task that is code in the folder")
def _task(scene: Scene) -> Path:
    return scene.spoiled(task__json=json.dumps({"task": "evil:Evil", "fields": {}}), evil__py=scene.code())


@case(MODELS, "a configuration that is a pipe")
def _pipe_of_weights(scene: Scene) -> Path:
    folder = scene.spoiled(config__json=None)
    os.mkfifo(folder / "config.json")
    return folder


@case(MODELS, "weights that are a pipe")
def _pipe(scene: Scene) -> Path:
    folder = scene.spoiled(model__safetensors=None)
    os.mkfifo(folder / "model.safetensors")
    return folder


@case(MODELS, "a run whose recipe is code")
def _recipe(scene: Scene) -> Path:
    scene.spoiled()
    (scene.inside / "recipe.yaml").write_text(f"!!python/object/apply:os.system ['touch {scene.canary}']")
    return scene.inside


@case(MODELS, "a run whose recipe is a bomb of aliases")
def _aliases(scene: Scene) -> Path:
    scene.spoiled()
    laughs = "".join(f"  {b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefghijklmnopqrstuvwxyz"))
    (scene.inside / "recipe.yaml").write_text(f"train:\n  a: &a [x]\n{laughs}")
    return scene.inside


GOOD_MODELS["pickles of every kind beside good weights"] = lambda s: s.spoiled(
    **{f"{name}__{suffix}": checkpoint(s) for name, suffix in (("pytorch_model", "bin"), ("training_args", "bin"))},
    **{
        f"{name}__{suffix}": pickled(s) for name, suffix in (("optimizer", "pt"), ("scheduler", "pt"), ("vocab", "pkl"))
    },
    **{f"{name}__{suffix}": pickled(s) for name, suffix in (("rng_state", "pth"), ("model", "ckpt"), ("x", "npy"))},
)


@case(GOOD_MODELS, "a known architecture that names code in the folder")
def _known(scene: Scene) -> Path:
    refers = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoTokenizer": ["evil.Tok", "evil.Tok"]}
    told = {"auto_map": refers, "tokenizer_class": "evil.Tok", "processor_class": "evil.Tok"}
    return scene.spoiled(
        config__json=scene.config(**told),
        tokenizer_config__json=scene.config("tokenizer_config.json", **told),
        evil__py=scene.code(),
        custom_generate__py=scene.code(),
    )
