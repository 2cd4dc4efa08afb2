"""The sizes that ``--size`` names."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """An encoder's dimensions.

    Args:
        layers: number of transformer layers.
        width: size of a token's vector (D).
        head_width: size of one attention head.
        inner: width of the gated feed-forward layer.
        window: how many neighbours to each side a local layer sees; every third layer sees the whole row.
    """

    layers: int
    width: int
    head_width: int
    inner: int
    window: int

    @property
    def attention_heads(self) -> int:
        return self.width // self.head_width


@dataclass(frozen=True)
class AlbertSize:
    """The dimensions of an ALBERT encoder, all of whose layers are one (Lan et al. 2020, section 3.1).

    Args:
        layers: how many times a text goes through the layer.
        width: size of a token's vector within the layer (D).
        head_width: size of one attention head.
        inner: width of the feed-forward layer.
        embedding: size of a token's vector in the vocabulary, before it is widened to D.
    """

    layers: int
    width: int
    head_width: int
    inner: int
    embedding: int

    @property
    def attention_heads(self) -> int:
        return self.width // self.head_width


SIZES = {
    "tiny": Size(layers=2, width=128, head_width=32, inner=384, window=8),
    "small": Size(layers=4, width=256, head_width=64, inner=704, window=8),
    "medium": Size(layers=8, width=512, head_width=64, inner=1408, window=16),
    "base": Size(layers=12, width=768, head_width=64, inner=2112, window=64),
}

# Chosen by nobody but the user: shared layers save parameters, not time.
ALBERT_SIZES = {
    "albert-tiny": AlbertSize(layers=2, width=128, head_width=32, inner=512, embedding=64),
    "albert-small": AlbertSize(layers=4, width=256, head_width=64, inner=1024, embedding=128),
    "albert-base": AlbertSize(layers=12, width=768, head_width=64, inner=3072, embedding=128),
}

EVERY_SIZE: dict[str, Size | AlbertSize] = {**SIZES, **ALBERT_SIZES}


@dataclass(frozen=True)
class PatchSize:
    """A vision transformer's dimensions.

    Args:
        layers: number of transformer layers.
        width: size of a patch's vector (D).
        head_width: size of one attention head.
        patch: side of a patch in pixels, for pictures of up to 64 pixels a side; larger ones have larger patches.
    """

    layers: int
    width: int
    head_width: int
    patch: int = 4


@dataclass(frozen=True)
class ConvSize:
    """The dimensions of a RegNet (Radosavovic et al. 2020).

    Args:
        depths: layers of each stage; each after the first halves the sides.
        widths: channels of each stage.
        group: channels of a group of the 3 x 3 convolutions.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    group: int


PICTURE_SIZES: dict[str, PatchSize | ConvSize] = {
    "conv-tiny": ConvSize(depths=(1, 2, 2), widths=(48, 96, 192), group=48),
    "conv-small": ConvSize(depths=(2, 3, 3), widths=(64, 128, 256), group=64),
    "conv-base": ConvSize(depths=(2, 4, 6, 2), widths=(64, 128, 256, 512), group=64),
    "vit-tiny": PatchSize(layers=4, width=128, head_width=32),
    "vit-small": PatchSize(layers=6, width=192, head_width=64),
    "vit-medium": PatchSize(layers=12, width=384, head_width=64),
    "vit-base": PatchSize(layers=12, width=768, head_width=64),
}


@dataclass(frozen=True)
class TextSize:
    """The dimensions of a BERT, as the text tower beside a picture tower.

    Args:
        layers: number of transformer layers.
        width: size of a token's vector (D).
        head_width: size of one attention head.
    """

    layers: int
    width: int
    head_width: int = 32


@dataclass(frozen=True)
class PairSize:
    """Two towers."""

    picture: PatchSize
    text: TextSize


PAIR_SIZES = {
    "clip-tiny": PairSize(PatchSize(layers=4, width=192, head_width=32, patch=8), TextSize(layers=2, width=192)),
    "clip-small": PairSize(PatchSize(layers=6, width=256, head_width=64, patch=8), TextSize(layers=4, width=256)),
    "clip-base": PairSize(
        PatchSize(layers=12, width=384, head_width=64, patch=8), TextSize(layers=6, width=384, head_width=64)
    ),
}
