"""Hugging Face's models as backbones: the only file that knows transformers and its models' insides.

A backbone is the encoder alone; the parts above it (a masked-LM head, a classifier, BERT's pooler) are heads,
so that several objectives can share one pass. :func:`save_model` puts both together again as the transformers
class that users know, and the parity tests hold the two to the same numbers.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)
from transformers.activations import NewGELUActivation

from selftaught.backbones.pooling import first_state, last_state, mean_state
from selftaught.backbones.presets import AlbertSize, Size
from selftaught.errors import SelftaughtError
from selftaught.objective import Batch

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

Parts = dict[str, nn.Module]

# How each architecture's head turns hidden states [..., D] into vocabulary logits [..., V].
_MASKED_LM: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {
    "bert": lambda h: h.cls,
    "modernbert": lambda h: lambda x: h.decoder(h.head(x)),
    "roberta": lambda h: h.lm_head,
    "xlm-roberta": lambda h: h.lm_head,
    "albert": lambda h: h.predictions,
    "electra": lambda h: lambda x: h.generator_lm_head(h.generator_predictions(x)),
    "distilbert": lambda h: lambda x: h.vocab_projector(h.vocab_layer_norm(h.activation(h.vocab_transform(x)))),
}

# The architectures that read from left to right; all call the projection to the next token's logits ``lm_head``.
_DECODERS = ("gpt2", "gpt_neox", "llama", "mistral", "opt", "qwen2", "qwen3", "smollm3")

# The same with a logit [...] for each token: has it been replaced?
_REPLACED_TOKEN: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {
    "electra": lambda h: h.discriminator_predictions,
}


# How each architecture's head turns hidden states [B, T, D] and a padding mask [B, T] into logits [B, K].
_CLASSIFIER: dict[str, Callable[[Any], Callable[[Tensor, Tensor], Tensor]]] = {
    "bert": lambda h: lambda x, mask: h.classifier(h.dropout(h.pooler(x))),
    "modernbert": lambda h: lambda x, mask: h.classifier(h.drop(h.head(mean_state(x, mask)))),
    "roberta": lambda h: lambda x, mask: h.classifier(x),
    "xlm-roberta": lambda h: lambda x, mask: h.classifier(x),
    "albert": lambda h: lambda x, mask: h.classifier(h.dropout(h.pooler_activation(h.pooler(x[:, 0])))),
    "electra": lambda h: lambda x, mask: h.classifier(x),
    "distilbert": lambda h: lambda x, mask: h.classifier(h.dropout(h.pre_classifier(x[:, 0]).relu())),
    **dict.fromkeys(_DECODERS, lambda h: lambda x, mask: h.score(last_state(x, mask))),
}


# The same with logits [..., K] for each token.
_TAGGER: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {
    "modernbert": lambda h: lambda x: h.classifier(h.drop(h.head(x))),
    **dict.fromkeys(
        ("bert", "roberta", "xlm-roberta", "albert", "electra", "distilbert"),
        lambda h: lambda x: h.classifier(h.dropout(x)),
    ),
}

# How each encoder's head turns hidden states [..., D] into logits [..., 2] of an answer's first and last token.
_SPANS: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {
    "modernbert": lambda h: lambda x: h.classifier(h.drop(h.head(x))),
    "distilbert": lambda h: lambda x: h.qa_outputs(h.dropout(x)),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "albert", "electra"), lambda h: h.qa_outputs),
}


class TextBackbone(nn.Module):
    """A transformer over text without any head: an encoder, or a decoder that reads from left to right.

    Args:
        encoder: a transformers base model.
        origin: the folder its weights came from, where heads look for theirs; None if untrained.
    """

    def __init__(self, encoder: Any, origin: Path | None = None) -> None:
        super().__init__()
        for part in _POOLER_PARTS:  # a pooler is a head; left here it would get no gradient
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
        return self.config.model_type in _DECODERS

    @property
    def has_token_types(self) -> bool:
        """Whether it is told which of two texts a token is in."""
        return getattr(self.config, "type_vocab_size", 0) > 1

    @property
    def longest_row(self) -> int:
        """The largest number of tokens in a row."""
        offset = self.config.pad_token_id + 1 if self.config.model_type in ("roberta", "xlm-roberta") else 0
        return self.config.max_position_embeddings - offset

    @property
    def reused(self) -> int:
        """Weights that each token meets again, counted each time: those of layers that are one layer (ALBERT)."""
        if self.config.model_type != "albert":
            return 0
        shared = sum(p.numel() for p in self.encoder.encoder.albert_layer_groups.parameters())
        return shared * self.layers // self.config.num_hidden_groups - shared

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

    def layer_states(self, batch: Batch) -> list[Tensor]:
        """The states after the embeddings and after each layer, each [B, T, D]; the last is that of :meth:`forward`."""
        found = self._encode(batch, output_hidden_states=True)
        return [*found.hidden_states[:-1], found.last_hidden_state]

    def _encode(self, batch: Batch, **options: Any) -> Any:
        attention = _fastest_attention(batch["input_ids"])
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


def _fastest_attention(input_ids: Tensor) -> str:
    """The implementation that is fastest for these rows, int64 [B, T].

    torch's fused attention has a slow backward pass for bfloat16 on processors: four times as slow as plain matrix
    products for rows of 128, as fast for rows of 512 (docs/lab.md). Everywhere else it is the better one.
    """
    plain = not input_ids.is_cuda and torch.is_autocast_enabled("cpu") and input_ids.shape[1] <= _SHORT_ROW
    return "eager" if plain else "sdpa"


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


# What transformers' modules call a rate of their own; "p" is that of torch's nn.Dropout.
_DROPOUT_RATES = {"p", "dropout", "attention_dropout"}
_SHORT_ROW = 256
_POOLER_PARTS = ("pooler", "pooler_activation")


def _parts(model: nn.Module, base: nn.Module) -> Parts:
    """A transformers model's parts other than its encoder, by attribute name; a pooler is one of them."""
    parts = {name: child for name, child in model.named_children() if child is not base}
    parts |= {name: child for name, child in base.named_children() if name in _POOLER_PARTS and child is not None}
    return parts


class Head(nn.Module):
    """Parts above an encoder.

    Args:
        fresh: names of weights that no checkpoint gave.
    """

    def __init__(self, fresh: list[str]) -> None:
        super().__init__()
        self.fresh = fresh


class _Head(Head):
    """The parts of a transformers model that stand above its encoder.

    Args:
        parts: modules by the attribute name they have in transformers.
        fresh: as above.
    """

    auto_class: Any = None

    def __init__(self, model_type: str, parts: Parts, fresh: list[str]) -> None:
        super().__init__(fresh)
        self.model_type = model_type
        for name, part in parts.items():
            self.add_module(name, part)

    @classmethod
    def _assemble(
        cls, backbone: TextBackbone, supported: Collection[str], **options: Any
    ) -> tuple[Any, Parts, list[str]]:
        """The whole transformers model of ``backbone``'s kind, its head parts, and the fresh weights."""
        kind = backbone.config.model_type
        if kind not in supported:
            raise SelftaughtError(
                f"the architecture {kind!r} has no {cls.__name__} here",
                do="use one of: " + ", ".join(sorted(supported)),
            )
        if backbone.origin is None:
            config = _with(backbone.config, **options)
            model = cls.auto_class.from_config(config, attn_implementation="sdpa")
            fresh = ["all"]
        else:
            model, info = _from_pretrained(cls.auto_class, backbone.origin, **options)
            fresh = sorted({*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])})
        return model, _parts(model, model.base_model), fresh

    @classmethod
    def _for_classes(
        cls, backbone: TextBackbone, supported: Collection[str], classes: tuple[str, ...], **options: Any
    ) -> Self:
        """The head with an output for each class; their names, and other options, go into the configuration."""
        names = dict(enumerate(classes))
        options |= {"num_labels": len(names), "id2label": names, "label2id": {name: i for i, name in names.items()}}
        _, parts, fresh = cls._assemble(backbone, supported, **options)
        for name, value in options.items():
            setattr(backbone.config, name, value)
        return cls(backbone.config.model_type, parts, fresh)


class MaskedLMHead(_Head):
    """From hidden states [..., D] to vocabulary logits [..., V]; the projection is the token embeddings."""

    auto_class = AutoModelForMaskedLM

    @classmethod
    def of(cls, backbone: TextBackbone, unigram: Tensor) -> "MaskedLMHead":
        """The head that belongs to ``backbone``; an untrained one starts from the tokens' frequencies.

        With the logarithm of ``unigram`` [V] as its bias, an untrained model begins at the unigram entropy
        instead of ln V, and no step is spent on learning which tokens are common.
        """
        model, parts, fresh = cls._assemble(backbone, _MASKED_LM)
        setattr(model, model.base_model_prefix, backbone.encoder)
        model.tie_weights()
        output = model.get_output_embeddings()
        if fresh and output.bias is not None:
            with torch.no_grad():
                output.bias.copy_(unigram.clamp_min(unigram[unigram > 0].min() / 2).log())
        return cls(backbone.config.model_type, parts, fresh)

    def forward(self, hidden: Tensor) -> Tensor:
        return _MASKED_LM[self.model_type](self)(hidden)


def model_head(heads: nn.Module) -> nn.Module | None:
    """The one among an objective's heads that is saved with the model: the first that transformers has a class for."""
    if isinstance(heads, _Head):
        return heads
    if isinstance(heads, nn.ModuleDict):
        return next((head for head in map(model_head, heads.values()) if head is not None), None)
    return None


def fresh_weights(heads: nn.Module) -> list[str]:
    """The names of the heads' weights that no checkpoint gave."""
    held = model_head(heads)
    if not isinstance(held, _Head):
        return [name for name, _ in heads.named_parameters()]
    own = {id(parameter) for parameter in held.parameters()}
    return held.fresh + [name for name, parameter in heads.named_parameters() if id(parameter) not in own]


class CausalLMHead(_Head):
    """From hidden states [..., D] to the logits [..., V] of the token that comes next."""

    auto_class = AutoModelForCausalLM

    @classmethod
    def of(cls, backbone: TextBackbone) -> "CausalLMHead":
        """The head that belongs to ``backbone``, its projection tied to the token embeddings where the model ties them.

        Raises:
            SelftaughtError: if the backbone does not read from left to right.
        """
        model, parts, fresh = cls._assemble(backbone, _DECODERS)
        setattr(model, model.base_model_prefix, backbone.encoder)
        model.tie_weights()
        return cls(backbone.config.model_type, parts, fresh)

    def forward(self, hidden: Tensor) -> Tensor:
        return self.get_submodule("lm_head")(hidden)


def whole_causal_lm(backbone: TextBackbone, head: CausalLMHead) -> Any:
    """transformers' own model made of these very parts, for what it can do with them, such as generation."""
    with torch.device("meta"):  # the weights it is made with are never used
        model = AutoModelForCausalLM.from_config(backbone.config)
    setattr(model, model.base_model_prefix, backbone.encoder)
    for name, part in head.named_children():
        setattr(model, name, part)
    return model.eval()


class ReplacedTokenHead(_Head):
    """From hidden states [..., D] to a logit [...] for each token, above 0 where it is not the original."""

    auto_class = AutoModelForPreTraining

    @classmethod
    def of(cls, backbone: TextBackbone) -> "ReplacedTokenHead":
        """The head that belongs to ``backbone``."""
        _, parts, fresh = cls._assemble(backbone, _REPLACED_TOKEN)
        return cls(backbone.config.model_type, parts, fresh)

    def forward(self, hidden: Tensor) -> Tensor:
        return _REPLACED_TOKEN[self.model_type](self)(hidden)


def replaced_token_head(backbone: TextBackbone) -> nn.Module:
    """The :class:`ReplacedTokenHead` of a model that has one in transformers, or else a new one of the same form."""
    if backbone.config.model_type in _REPLACED_TOKEN:
        return ReplacedTokenHead.of(backbone)
    width = backbone.width
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 1), nn.Flatten(-2))


class ClassificationHead(_Head):
    """From hidden states [B, T, D] and padding mask [B, T] to class logits [B, K]."""

    auto_class = AutoModelForSequenceClassification

    @classmethod
    def of(
        cls, backbone: TextBackbone, classes: tuple[str, ...], problem: str = "single_label_classification"
    ) -> "ClassificationHead":
        """The head that belongs to ``backbone``; ``problem`` is transformers' name for what the logits mean."""
        return cls._for_classes(backbone, _CLASSIFIER, classes, problem_type=problem)

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        return _CLASSIFIER[self.model_type](self)(hidden, attention_mask)


class TaggingHead(_Head):
    """From hidden states [..., D] to the logits [..., K] of each token's classes."""

    auto_class = AutoModelForTokenClassification

    @classmethod
    def of(cls, backbone: TextBackbone, classes: tuple[str, ...]) -> "TaggingHead":
        """The head that belongs to ``backbone``.

        Raises:
            SelftaughtError: if the backbone reads from left to right: it tags a word before it has seen the next.
        """
        if backbone.is_decoder:
            raise SelftaughtError(
                f"a {backbone.config.model_type!r} network has to tag a word before it has read what follows",
                do="pretrain with --objective mlm, or give an encoder's checkpoint",
            )
        return cls._for_classes(backbone, _TAGGER, classes)

    def forward(self, hidden: Tensor) -> Tensor:
        return _TAGGER[self.model_type](self)(hidden)


class QuestionAnsweringHead(_Head):
    """From hidden states [B, T, D] to logits [B, T, 2] of the first and of the last token of an answer."""

    auto_class = AutoModelForQuestionAnswering

    @classmethod
    def of(cls, backbone: TextBackbone) -> "QuestionAnsweringHead":
        """The head that belongs to ``backbone``.

        Raises:
            SelftaughtError: if the backbone reads from left to right, and has not read what follows a token.
        """
        if backbone.is_decoder:
            raise SelftaughtError(
                "a decoder cannot point at an answer: where it has to say that one begins, it has not read on",
                do="begin from an encoder, such as a run of selftaught pretrain --objective mlm",
            )
        _, parts, fresh = cls._assemble(backbone, _SPANS, num_labels=2)
        backbone.config.num_labels = 2
        return cls(backbone.config.model_type, parts, fresh)

    def forward(self, hidden: Tensor) -> Tensor:
        return _SPANS[self.model_type](self)(hidden)


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
    model, info = _from_pretrained(AutoModel, folder)
    absent = [*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])]
    absent = sorted(name for name in absent if not name.startswith(_POOLER_PARTS))
    if absent:
        raise SelftaughtError(
            f"{len(absent)} weights of the encoder are missing or of another shape, such as {absent[0]}",
            where=str(folder),
            do="config.json and the safetensors files must be those of one checkpoint",
        )
    return TextBackbone(model, origin=folder)


# Where a pretraining model keeps its pooler and its answer about two segments.
_PAIR_LAYERS: dict[str, Callable[[Any], tuple[nn.Linear, nn.Linear]]] = {
    "bert": lambda model: (model.bert.pooler.dense, model.cls.seq_relationship),
    "albert": lambda model: (model.albert.pooler, model.sop_classifier.classifier),
}


class PairHead(Head):
    """From hidden states [B, T, D] and padding mask [B, T] to [B, 2]: what speaks for the segments, and what against.

    It has the form of BERT's and of ALBERT's own, and takes their weights where the checkpoint has them. It stands
    on the first token; on the mean where that may see no more than its neighbours (ModernBERT). Next sentence
    prediction and sentence order prediction share it, so that a model trained with one can be asked the other.
    """

    def __init__(self, backbone: TextBackbone) -> None:
        super().__init__(["all"])
        self.pool = mean_state if backbone.config.model_type == "modernbert" else first_state
        self.pooler, self.answer = nn.Linear(backbone.width, backbone.width), nn.Linear(backbone.width, 2)
        own = _PAIR_LAYERS.get(backbone.config.model_type)
        if own is None or backbone.origin is None:
            return
        model, info = _from_pretrained(AutoModelForPreTraining, backbone.origin)
        absent = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
        missing = {id(weight): name for name, weight in model.named_parameters() if name in absent}
        theirs = own(model)
        self.fresh = [missing[id(weight)] for layer in theirs for weight in layer.parameters() if id(weight) in missing]
        for layer, given in zip((self.pooler, self.answer), theirs, strict=True):
            if not missing.keys() & set(map(id, given.parameters())):
                layer.load_state_dict(given.state_dict())

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        return self.answer(self.pooler(self.pool(hidden, attention_mask)).tanh())


def load_causal_lm(folder: Path) -> Any:
    """The whole causal language model of a checkpoint folder, as transformers has it."""
    return _from_pretrained(AutoModelForCausalLM, folder)[0]


def untrained_twin(backbone: TextBackbone) -> TextBackbone:
    """The same network with the weights it would have had before any training."""
    return backbone_from_config(_with(backbone.config))


def slim_twin(backbone: TextBackbone, share: float) -> TextBackbone:
    """An untrained network of the same kind and depth with a share of the attention heads, and of the widths with them.

    It reads the token embeddings of ``backbone`` itself, through a projection where its own would have another width.
    """
    config = backbone.config
    heads = max(1, round(share * config.num_attention_heads))
    width, inner = heads * backbone.width // config.num_attention_heads, max(1, round(share * backbone.inner))
    sizes = {"hidden_size": width, "num_attention_heads": heads, _inner_name(config): inner}
    twin = backbone_from_config(_with(config, **sizes))
    table, own = backbone.embeddings(), twin.embeddings().embedding_dim
    if own == table.embedding_dim:
        twin.encoder.set_input_embeddings(table)
    else:  # without a bias: it would drown embeddings, which begin small, and all tokens would look the same
        projection = nn.Linear(table.embedding_dim, own, bias=False)
        twin.encoder.set_input_embeddings(nn.Sequential(table, projection))
    return twin


def save_model(folder: Path, backbone: TextBackbone, heads: nn.Module) -> None:
    """Write ``config.json`` and ``model.safetensors`` as the transformers class that :func:`model_head` belongs to."""
    head = model_head(heads)
    auto_class = head.auto_class if isinstance(head, _Head) else AutoModel
    model = auto_class.from_config(backbone.config, attn_implementation="sdpa")
    base = model.base_model
    base.load_state_dict(backbone.encoder.state_dict(), strict=False)
    if isinstance(head, _Head):
        for name, part in _parts(model, base).items():
            part.load_state_dict(head.get_submodule(name).state_dict())
    model.save_pretrained(folder)


def _with(config: Any, **options: Any) -> Any:
    copy = type(config).from_dict(config.to_dict())
    for name, value in options.items():
        setattr(copy, name, value)
    return copy


def _from_pretrained(auto_class: Any, folder: Path, **options: Any) -> tuple[nn.Module, dict[str, Any]]:
    """Load from a local folder: safetensors only, no code from the folder, nothing from the network."""
    if not (folder / "config.json").is_file():
        raise SelftaughtError(
            "this is not a model folder: it has no config.json",
            where=str(folder),
            do="give a run folder of selftaught or a checkpoint folder of transformers",
        )
    try:
        return auto_class.from_pretrained(
            folder,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise SelftaughtError(
            f"transformers cannot load this model: {str(error).splitlines()[0]}",
            where=str(folder),
            do="weights must be in safetensors files, of an architecture that transformers itself knows",
        ) from error


def read_config(folder: Path) -> Any:
    """The transformers configuration in ``folder``."""
    return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
