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


SIZES = {
    "tiny": Size(layers=2, width=128, head_width=32, inner=384, window=8),
    "small": Size(layers=4, width=256, head_width=64, inner=704, window=8),
    "medium": Size(layers=8, width=512, head_width=64, inner=1408, window=16),
    "base": Size(layers=12, width=768, head_width=64, inner=2112, window=64),
}
