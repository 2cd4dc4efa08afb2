"""The sizes that ``--size`` names, and the arithmetic that picks one: parameters, operations, memory."""

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

    @property
    def matrix_parameters(self) -> int:
        """Weights of the layers' matrices: the ones every token multiplies."""
        return self.layers * (4 * self.width**2 + 3 * self.width * self.inner)

    def parameters(self, vocab_size: int) -> int:
        """All weights with a masked-LM head tied to the embeddings."""
        norms = self.width * (2 * self.layers + 2)
        return self.matrix_parameters + vocab_size * (self.width + 1) + self.width**2 + norms

    def flops_per_token(self, vocab_size: int, length: int, rate: float) -> float:
        """Multiply-adds counted as two, forward and backward, for one token of input.

        Six operations a weight (Kaplan et al. 2020, section 2.1), the vocabulary projection for hidden tokens only,
        and attention scores over the row.
        """
        head = rate * (self.width * vocab_size + self.width**2)
        attention = 2 * self.layers * length * self.width
        return 6.0 * (self.matrix_parameters + head + attention)


SIZES = {
    "tiny": Size(layers=2, width=128, head_width=32, inner=384, window=8),
    "small": Size(layers=4, width=256, head_width=64, inner=704, window=8),
    "medium": Size(layers=8, width=512, head_width=64, inner=1408, window=16),
    "base": Size(layers=12, width=768, head_width=64, inner=2112, window=64),
}
