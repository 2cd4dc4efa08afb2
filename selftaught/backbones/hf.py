"""Hugging Face's models as backbones: this file and :mod:`selftaught.backbones.heads` alone know their insides.

A backbone is the encoder alone; the parts above it (a masked-LM head, a classifier, BERT's pooler) are heads, so that
several objectives can share one pass.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModel, VisionTextDualEncoderModel
from transformers.activations import NewGELUActivation
from transformers.modeling_layers import GradientCheckpointingLayer

from selftaught.backbones.given_folder import examine
from selftaught.backbones.presets import AlbertSize, Size
from selftaught.data.manifest import refuse_damaged
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# The architectures that read from left to right; all call the projection to the next token's logits ``lm_head``.
DECODERS = ("gpt2", "gpt_neox", "llama", "mistral", "opt", "qwen2", "qwen3", "smollm3")

DUAL = "vision-text-dual-encoder"
"""transformers' name of two towers, over pictures and over text, in one folder."""


class TextBackbone(nn.Module):
    """A transformer over text without any head: an encoder, or a decoder that reads from left to right.

    Args:
        encoder: a transformers base model.
        origin: the folder its weights came from, where heads look for theirs; None if untrained.
    """

    def __init__(self, encoder: Any, origin: Path | None = None) -> None:
        super().__init__()
        for part in POOLER_PARTS:  # a pooler is a head; left here it would get no gradient
            if part in dict(encoder.named_children()):
                setattr(encoder, part, None)
        _fuse_activations(encoder)
        self.encoder: Any = encoder
        self.origin = origin

    @property
    def config(self) -> Any:
        """The transformers configuration."""
        return self.encoder.config

    @property
    def width(self) -> int:
        return self.config.hidden_size

    @property
    def layers(self) -> int:
        return self.config.num_hidden_layers

    @property
    def inner(self) -> int:
        """Width of the feed-forward layers."""
        return getattr(self.config, _inner_name(self.config)) or 4 * self.width

    @property
    def is_decoder(self) -> bool:
        """Whether it reads from left to right."""
        return self.config.model_type in DECODERS

    @property
    def has_token_types(self) -> bool:
        """Whether it is told which of two texts a token is in."""
        return getattr(self.config, "type_vocab_size", 0) > 1

    @property
    def longest_row(self) -> int:
        """The largest number of tokens in a row."""
        offset = self.config.pad_token_id + 1 if self.config.model_type in ("roberta", "xlm-roberta") else 0
        return self.config.max_position_embeddings - offset

    def decoder_layers(self) -> nn.ModuleList:
        """The layers of a decoder, the lowest first; each is given states [B, T, D]."""
        place = {"gpt2": "h", "opt": "decoder.layers"}.get(self.config.model_type, "layers")
        return self.encoder.get_submodule(place)

    def embeddings(self) -> nn.Embedding:
        """The token embeddings, [V, D]."""
        return self.encoder.get_input_embeddings()

    def forward(self, batch: Batch) -> Tensor:
        """Hidden states [B, T, D] of ``input_ids`` [B, T].

        ``attention_mask`` bool [B, T] is false on padding; ``segments`` int [B, T] numbers the documents
        packed into a row, which must not see each other; ``token_type_ids`` int [B, T] tells the two texts of a pair
        apart, for the architectures that have such embeddings; ``causal`` bool [B] says which rows a decoder reads
        from left to right, all if not given. Positions are not restarted at a document's start: with rotary
        positions that changes nothing, and learned ones are all trained this way. A decoder reads several
        continuations of one text in one row by ``branches`` int [B, T], 0 in the text and the continuation's number
        in each, which sees the text and itself, and ``position_ids`` int [B, T].
        """
        return self._encode(batch).last_hidden_state

    def untrained_twin(self) -> "TextBackbone":
        """The same network with the weights it would have had before any training."""
        return backbone_from_config(with_options(self.config))

    def layer_states(self, batch: Batch) -> list[Tensor]:
        """The states after the embeddings and after each layer, each [B, T, D]; the last is that of :meth:`forward`."""
        found = self._encode(batch, output_hidden_states=True)
        return [*found.hidden_states[:-1], found.last_hidden_state]

    def _encode(self, batch: Batch, **options: Any) -> Any:
        attention = fastest_attention(batch["input_ids"], batch["input_ids"].shape[1])
        if self.config._attn_implementation != attention:
            self.encoder.set_attn_implementation(attention)
        if self.is_decoder:
            options["use_cache"] = False
            options["position_ids"] = batch.get("position_ids")
        elif "token_type_ids" in batch and self.has_token_types:
            options["token_type_ids"] = batch["token_type_ids"]
        return self.encoder(input_ids=batch["input_ids"], attention_mask=self._mask(batch), **options)

    def _mask(self, batch: Batch) -> Any:
        segments, causal = batch.get("segments"), batch.get("causal")
        if segments is not None and bool((segments == segments[:, :1]).all()):
            segments = None
        if self.is_decoder:
            return self._decoder_mask(batch, segments, None if causal is None or bool(causal.all()) else causal)
        if segments is None:
            return batch.get("attention_mask")
        same = _same(segments)
        if self.config.model_type != "modernbert":
            return self._as_attended(same)
        place = torch.arange(segments.shape[1], device=segments.device)
        near = (place[:, None] - place[None, :]).abs() <= self.config.local_attention // 2
        return {"full_attention": self._as_attended(same), "sliding_attention": self._as_attended(same & near)}

    def _decoder_mask(self, batch: Batch, segments: Tensor | None, causal: Tensor | None) -> Any:
        branches = batch.get("branches")
        if segments is None and causal is None and branches is None:
            return batch.get("attention_mask")
        length = batch["input_ids"].shape[1]
        visible = torch.ones(length, length, dtype=torch.bool, device=batch["input_ids"].device).tril()[None, None]
        if causal is not None:
            visible = visible | ~causal[:, None, None, None]
        if segments is not None:
            visible = visible & _same(segments)
        if branches is not None:
            visible = visible & (_same(branches) | (branches == 0)[:, None, None, :])
        if "attention_mask" in batch:
            visible = visible & batch["attention_mask"].bool()[:, None, None, :]
        return self._as_attended(visible.expand(len(batch["input_ids"]), -1, -1, -1))

    def _as_attended(self, visible: Tensor) -> Tensor:
        """A mask as the attention in use wants it: true where visible, or what to add to the scores."""
        if self.config._attn_implementation != "eager":
            return visible
        return torch.zeros_like(visible, dtype=torch.float32).masked_fill_(~visible, torch.finfo(torch.float32).min)


def _fuse_activations(network: nn.Module) -> None:
    """GPT-2's activation as one operation: as transformers writes it, it takes a quarter of a small model's time.

    The numbers are the same but for rounding; a saved model has transformers' own again.
    """
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(parent, name, nn.GELU(approximate="tanh"))


def _same(segments: Tensor) -> Tensor:
    """Which tokens are of one document: bool [B, 1, T, T] from int [B, T]."""
    return (segments[:, :, None] == segments[:, None, :]).unsqueeze(1)


def fastest_attention(rows: Tensor, length: int) -> str:
    """The implementation that is fastest for these rows, each of ``length`` tokens or patches.

    torch's fused attention has a slow backward pass for bfloat16 on processors: four times as slow as plain matrix
    products for rows of 128, as fast for rows of 512 (docs/lab.md). Everywhere else it is the better one.
    """
    plain = not rows.is_cuda and torch.is_autocast_enabled("cpu") and length <= _SHORT_ROW
    return "eager" if plain else "sdpa"


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The layers of all of transformers' networks that are in it: what is computed, kept or sent one at a time."""
    return [part for part in network.modules() if isinstance(part, GradientCheckpointingLayer)]


def recomputing(network: nn.Module) -> None:
    """Let no layer keep what it computes within: going backward it computes it again.

    About a third more time for a part of the memory (Chen et al. 2016, section 4); the gradients are the same.
    """
    for part in network.modules():
        if isinstance(part, transformers.PreTrainedModel) and part.supports_gradient_checkpointing:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # transformers will have another name for it
                part.gradient_checkpointing_enable({"use_reentrant": False})


def text_backbone(backbones: nn.ModuleDict) -> TextBackbone:
    """The text network among a learner's backbones."""
    found = backbones["text"]
    assert isinstance(found, TextBackbone)
    return found


def _inner_name(config: Any) -> str:
    """Under which name a configuration keeps the width of the feed-forward layers."""
    return {"gpt2": "n_inner", "distilbert": "hidden_dim"}.get(config.model_type, "intermediate_size")


@contextmanager
def dropping(backbone: TextBackbone, rate: float, seed: int) -> Iterator[None]:
    """Within this, drop a share ``rate`` of the units wherever the network has a place for it; ``seed`` decides which.

    Our networks are built with no dropout, and others bring a rate of their own. It is in force whether the network
    is being trained or measured, and leaves the process' random numbers as they are.
    """
    places = [(m, name, vars(m)[name]) for m in backbone.modules() for name in _DROPOUT_RATES & vars(m).keys()]
    was_training, device = backbone.training, backbone.embeddings().weight.device
    for module, name, _ in places:
        setattr(module, name, rate)
    backbone.train()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(seed)
            yield
    finally:
        backbone.train(was_training)
        for module, name, before in places:
            setattr(module, name, before)


def drops(network: nn.Module) -> bool:
    """Whether training drops units: which, is drawn from the one stream of numbers that the process has."""
    return any(vars(part).get(name) for part in network.modules() for name in _DROPOUT_RATES)


# What transformers' modules call a rate of their own; "p" is that of torch's nn.Dropout.
_DROPOUT_RATES = {"p", "dropout", "attention_dropout"}
_SHORT_ROW = 256
POOLER_PARTS = ("pooler", "pooler_activation")
"""The attributes that some base models keep their pooler in, which is a head."""


def new_decoder(
    size: Size, vocab_size: int, *, pad_id: int, bos_id: int, eos_id: int, longest_row: int
) -> TextBackbone:
    """An untrained decoder: Llama's architecture (Touvron et al. 2023, section 2.2) at our sizes, its projection tied.

    Its rotary positions and pre-normalisation are those of our encoders; every engine that serves models knows it.
    """
    config = transformers.LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=size.width,
        intermediate_size=size.inner,
        num_hidden_layers=size.layers,
        num_attention_heads=size.attention_heads,
        num_key_value_heads=size.attention_heads,
        max_position_embeddings=longest_row,
        tie_word_embeddings=True,
        pad_token_id=pad_id,
        bos_token_id=bos_id,
        eos_token_id=eos_id,
    )
    return TextBackbone(AutoModel.from_config(config, attn_implementation="sdpa"))


def new_backbone(
    size: Size | AlbertSize, vocab_size: int, *, pad_id: int, cls_id: int, sep_id: int, longest_row: int
) -> TextBackbone:
    """An untrained encoder: ModernBERT's architecture (Warner et al. 2024) at our sizes, or ALBERT's.

    Pre-normalisation, rotary positions and local attention let a small model leave the unigram plateau within
    its first hundred steps; BERT's post-normalisation and learned positions, which ALBERT has, take thousands
    (docs/lab.md).
    """
    shape: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": size.width,
        "intermediate_size": size.inner,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.attention_heads,
        "max_position_embeddings": longest_row,
        "pad_token_id": pad_id,
        "bos_token_id": cls_id,
        "eos_token_id": sep_id,
    }
    if isinstance(size, AlbertSize):
        return backbone_from_config(transformers.AlbertConfig(**shape, embedding_size=size.embedding))
    window = {"local_attention": 2 * size.window, "classifier_pooling": "mean"}
    return backbone_from_config(
        transformers.ModernBertConfig(**shape, **window, cls_token_id=cls_id, sep_token_id=sep_id)
    )


def backbone_from_config(config: Any) -> TextBackbone:
    """An untrained encoder of any supported transformers configuration."""
    return TextBackbone(AutoModel.from_config(config, attn_implementation="sdpa"))


def load_backbone(folder: Path) -> TextBackbone:
    """The encoder of a checkpoint folder that transformers can read.

    Raises:
        SelftaughtError: if the folder holds no configuration or no safetensors weights, not all of them or those of
            another network, or wants its own code run.
    """
    refuse_damaged(folder)
    model, info = from_folder(AutoModel, folder)
    if isinstance(model, VisionTextDualEncoderModel):
        return TextBackbone(model.text_model)
    absent = [*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])]
    absent = sorted(name for name in absent if not name.startswith(POOLER_PARTS))
    if absent:
        raise SelftaughtError(
            f"{len(absent)} weights of the encoder are missing or of another shape, such as {absent[0]}",
            where=str(folder),
            do="config.json and the safetensors files must be those of one checkpoint",
        )
    return TextBackbone(model, origin=folder)


def slim_twin(backbone: TextBackbone, share: float) -> TextBackbone:
    """An untrained network of the same kind and depth with a share of the attention heads, and of the widths with them.

    It reads the token embeddings of ``backbone`` itself, through a projection where its own would have another width.
    """
    config = backbone.config
    heads = max(1, round(share * config.num_attention_heads))
    width, inner = heads * backbone.width // config.num_attention_heads, max(1, round(share * backbone.inner))
    sizes = {"hidden_size": width, "num_attention_heads": heads, _inner_name(config): inner}
    twin = backbone_from_config(with_options(config, **sizes))
    table, own = backbone.embeddings(), twin.embeddings().embedding_dim
    if own == table.embedding_dim:
        twin.encoder.set_input_embeddings(table)
    else:  # without a bias: it would drown embeddings, which begin small, and all tokens would look the same
        projection = nn.Linear(table.embedding_dim, own, bias=False)
        twin.encoder.set_input_embeddings(nn.Sequential(table, projection))
    return twin


def with_options(config: Any, **options: Any) -> Any:
    """A copy of a configuration with some values changed."""
    copy = type(config).from_dict(config.to_dict())
    for name, value in options.items():
        setattr(copy, name, value)
    return copy


def from_folder(auto_class: Any, folder: Path, **options: Any) -> tuple[nn.Module, dict[str, Any]]:
    """Load from a local folder: safetensors only, no code from the folder, nothing from the network."""
    if not (folder / "config.json").is_file():
        raise SelftaughtError(
            "this is not a model folder: it has no config.json",
            where=str(folder),
            do="give a run folder of selftaught or a checkpoint folder of transformers",
        )
    examine(folder)
    try:
        return auto_class.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            **{"attn_implementation": "sdpa", **options},
        )
    except Exception as error:  # a configuration of nonsense fails wherever it is used
        raise SelftaughtError(
            f"transformers cannot load this model: {(str(error).splitlines() or [type(error).__name__])[0]}",
            where=str(folder),
            do="weights must be in safetensors files, of an architecture that transformers itself knows",
        ) from error
