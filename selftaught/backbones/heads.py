"""The parts that stand above a backbone: each architecture's own heads, as transformers makes and saves them.

:func:`save_model` puts backbone and head together again as the transformers class that users know, and the parity tests
hold the two to the same numbers.
"""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from selftaught.backbones.hf import DECODERS, POOLER_PARTS, TextBackbone, from_folder, with_options
from selftaught.backbones.pooling import first_state, last_state, mean_state
from selftaught.errors import SelftaughtError

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
    **dict.fromkeys(DECODERS, lambda h: lambda x, mask: h.score(last_state(x, mask))),
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


def _parts(model: nn.Module, base: nn.Module) -> Parts:
    """A transformers model's parts other than its encoder, by attribute name; a pooler is one of them."""
    parts = {name: child for name, child in model.named_children() if child is not base}
    parts |= {name: child for name, child in base.named_children() if name in POOLER_PARTS and child is not None}
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
            config = with_options(backbone.config, **options)
            model = cls.auto_class.from_config(config, attn_implementation="sdpa")
            fresh = ["all"]
        else:
            model, info = from_folder(cls.auto_class, backbone.origin, **options)
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
        model, parts, fresh = cls._assemble(backbone, DECODERS)
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


# Where a pretraining model keeps its pooler and its answer about two segments.
_PAIR_LAYERS: dict[str, Callable[[Any], tuple[nn.Linear, nn.Linear]]] = {
    "bert": lambda model: (model.bert.pooler.dense, model.cls.seq_relationship),
    "albert": lambda model: (model.albert.pooler, model.sop_classifier.classifier),
}


class PairHead(Head):
    """What speaks for two segments, and what against: [B, 2].

    It has the form of BERT's and of ALBERT's own, on the first token, and takes their weights where the checkpoint has
    them. Where that token may see no more than its neighbours, and nothing tells the network which segment a token is
    in (ModernBERT), it stands on the means u and v of the two instead, as [u, v, |u - v|, uv] (Conneau et al. 2017,
    "InferSent", section 3.1): a mean over both would be nearly the same in either order. Next sentence prediction and
    sentence order prediction share it, so that a model trained with one can be asked the other.
    """

    def __init__(self, backbone: TextBackbone) -> None:
        super().__init__(["all"])
        self.apart = backbone.config.model_type == "modernbert"
        seen = 4 * backbone.width if self.apart else backbone.width
        self.pooler, self.answer = nn.Linear(seen, backbone.width), nn.Linear(backbone.width, 2)
        own = _PAIR_LAYERS.get(backbone.config.model_type)
        if own is None or backbone.origin is None:
            return
        model, info = from_folder(AutoModelForPreTraining, backbone.origin)
        absent = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
        missing = {id(weight): name for name, weight in model.named_parameters() if name in absent}
        theirs = own(model)
        self.fresh = [missing[id(weight)] for layer in theirs for weight in layer.parameters() if id(weight) in missing]
        for layer, given in zip((self.pooler, self.answer), theirs, strict=True):
            if not missing.keys() & set(map(id, given.parameters())):
                layer.load_state_dict(given.state_dict())

    def forward(self, hidden: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """From hidden states [B, T, D], the padding mask and the segment of each token, 0 or 1, both [B, T]."""
        if self.apart:
            second = token_type_ids.bool()
            u, v = mean_state(hidden, attention_mask.bool() & ~second), mean_state(hidden, second)
            seen = torch.cat([u, v, (u - v).abs(), u * v], 1)
        else:
            seen = first_state(hidden, attention_mask)
        return self.answer(self.pooler(seen).tanh())


def load_causal_lm(folder: Path) -> Any:
    """The whole causal language model of a checkpoint folder, as transformers has it."""
    return from_folder(AutoModelForCausalLM, folder)[0]


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
