"""Two towers as files: transformers reads them and says the same, and so does whoever reads them here again."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoModel,
    AutoProcessor,
    BertConfig,
    ConvNextConfig,
    VisionTextDualEncoderConfig,
    VisionTextDualEncoderModel,
)

from selftaught.backbones.dual import load_towers, new_text_tower
from selftaught.backbones.hf import TextBackbone, load_backbone
from selftaught.backbones.presets import ConvSize, PatchSize, TextSize
from selftaught.backbones.towers import TwoTowers
from selftaught.backbones.vision import PictureBackbone, from_config, new_picture_backbone
from selftaught.data.tokenise import TextTokenizer
from selftaught.errors import SelftaughtError
from selftaught.objective import PictureSpec
from selftaught.pairs.model import PairModel, holds_pair_model
from selftaught.pictures.model import PictureModel, holds_picture_model

TEXTS = ["a red cat", "two dogs that jump", "cat"]
PIXELS = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32)).astype(np.uint8)


def new_model(tokenizer: TextTokenizer, picture: PictureBackbone, text: TextBackbone | None = None) -> PairModel:
    pad = tokenizer.id_of("pad_token") or 0
    text = text or new_text_tower(TextSize(2, 32, 16), tokenizer.vocab_size, pad_id=pad, longest_row=32)
    spec = PictureSpec(32, 8, torch.tensor([0.5, 0.4, 0.6]), torch.tensor([0.2, 0.3, 0.25]))
    return PairModel(picture, text, TwoTowers(picture, text, 24, 13.0, None), tokenizer, spec, 24)


def vit() -> PictureBackbone:
    torch.manual_seed(0)
    return new_picture_backbone(PatchSize(2, 32, 16, patch=8), 32)


def test_transformers_loads_it_and_gives_the_same_logits(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    model = new_model(tokenizer, vit())
    model.save(tmp_path)
    theirs, processor = AutoModel.from_pretrained(tmp_path), AutoProcessor.from_pretrained(tmp_path)
    assert isinstance(theirs, VisionTextDualEncoderModel)
    images = [Image.fromarray(one.transpose(1, 2, 0)) for one in PIXELS]
    given = processor(text=TEXTS, images=images, return_tensors="pt", padding=True)
    with torch.no_grad():
        said = theirs.eval()(**given).logits_per_image.numpy()
    own = model.towers.scale.item() * model.of_pictures(PIXELS) @ model.of_texts(TEXTS).T
    assert np.abs(said - own).max() < 1e-4 * np.abs(own).max()


@pytest.mark.parametrize("kind", ["vit", "regnet"])
def test_what_is_saved_is_read_again(tokenizer: TextTokenizer, tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    picture = vit() if kind == "vit" else new_picture_backbone(ConvSize((1, 1), (16, 32), 16), 32)
    model = new_model(tokenizer, picture)
    model.save(tmp_path / "model")
    assert holds_pair_model(tmp_path)
    again = PairModel.load(tmp_path)
    assert np.array_equal(model.of_pictures(PIXELS), again.of_pictures(PIXELS))
    assert np.array_equal(model.of_texts(TEXTS), again.of_texts(TEXTS))
    assert again.towers.scale.item() == pytest.approx(13.0)
    assert (again.longest, again.spec.resolution) == (24, 32)
    alone = PictureModel.load(tmp_path)  # its tower of pictures is a network over pictures
    assert np.array_equal(alone.features(PIXELS), PictureModel(picture, model.spec).features(PIXELS))


def test_towers_that_no_class_of_transformers_holds_load_each_by_itself(
    tokenizer: TextTokenizer, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = new_model(tokenizer, new_picture_backbone(ConvSize((1, 1), (16, 32), 16), 32))
    model.save(tmp_path)
    theirs, pixels = AutoModel.from_pretrained(tmp_path / "vision").eval(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        states = theirs(pixels).last_hidden_state.flatten(2).transpose(1, 2)
        assert torch.equal(states, model.picture.eval()({"pixels": pixels}))
    batch = tokenizer.batch(TEXTS, 24)
    text = AutoModel.from_pretrained(tmp_path / "text").eval()
    with torch.no_grad():
        states = text(batch["input_ids"], attention_mask=batch["attention_mask"].long()).last_hidden_state
        assert torch.allclose(states, model.text.eval()(batch), atol=1e-6)


def test_a_dual_encoder_from_elsewhere_is_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    bert = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    seen = ConvNextConfig(hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, patch_size=4, image_size=32)
    seen.hidden_size = 32  # which a dual encoder asks for
    theirs = VisionTextDualEncoderModel(VisionTextDualEncoderConfig.from_vision_text_configs(seen, bert)).eval()
    theirs.save_pretrained(tmp_path)
    picture, text, towers = load_towers(tmp_path)
    pixels, ids = torch.rand(2, 3, 32, 32), torch.randint(1, 60, (2, 6))
    mask = torch.ones(2, 6, dtype=torch.bool)
    with torch.no_grad():
        said = theirs(input_ids=ids, attention_mask=mask.long(), pixel_values=pixels)
        for part in (picture, text, towers):
            part.eval()
        own = towers.of_pictures(picture, pixels), towers.of_texts(text, {"input_ids": ids, "attention_mask": mask})
    assert torch.allclose(own[0], said.image_embeds, atol=1e-5)
    assert torch.allclose(own[1], said.text_embeds, atol=1e-5)


def test_the_text_tower_begins_another_run(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    model = new_model(tokenizer, vit())
    model.save(tmp_path)
    batch = tokenizer.batch(TEXTS, 24)
    with torch.no_grad():
        assert torch.equal(load_backbone(tmp_path).eval()(batch), model.text.eval()(batch))


def test_what_holds_no_towers_is_told(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    PictureModel(from_config(vit().config), new_model(tokenizer, vit()).spec).save(tmp_path / "model")
    assert holds_picture_model(tmp_path)
    assert not holds_pair_model(tmp_path)
    with pytest.raises(SelftaughtError, match="no two towers"):
        PairModel.load(tmp_path)


def test_damage_is_told(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    torch.manual_seed(0)
    new_model(tokenizer, new_picture_backbone(ConvSize((1, 1), (16, 32), 16), 32)).save(tmp_path)
    (tmp_path / "towers.safetensors").write_bytes(b"nothing")
    with pytest.raises(SelftaughtError, match="above the towers"):
        PairModel.load(tmp_path)
    new_model(tokenizer, vit()).save(tmp_path / "whole")
    (tmp_path / "whole" / "preprocessor_config.json").write_text(json.dumps({"size": 3}))
    with pytest.raises(SelftaughtError, match="how pictures are prepared"):
        PairModel.load(tmp_path / "whole")
