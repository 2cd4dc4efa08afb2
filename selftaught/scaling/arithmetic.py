"""Operations and memory of a transformer: of a run at hand by its own counts, of one that is planned by its shape."""

STATE_BYTES = 16
"""Of each trained number: itself, its gradient and two moments, float32."""

SAVED_BYTES = 12
"""Of each trained number in a checkpoint: itself and two moments, float32."""


def attention(layers: int, width: int, length: float) -> float:
    """What scores and mixing cost a token, in multiply-adds of one pass, as if they were weights: each token with all.

    A causal mask could halve it; it is counted whole, as is the custom (Chowdhery et al. 2022, appendix B).
    """
    return 2 * layers * length * width


def training_flops(weights: float, read_only: float = 0.0) -> float:
    """Of a token, forward and backward: six a weight (Kaplan et al. 2020, section 2.1), two of one only read."""
    return 6.0 * weights + 2.0 * read_only


def kept(layers: int, width: int, inner: int, heads: int, length: int, *, scores: bool = True) -> int:
    """Numbers kept of each token for going backward.

    Args:
        scores: whether the attention's scores and weights are among them, which fused kernels compute again.
    """
    return layers * (10 * width + 4 * inner + (2 * heads * length if scores else 0))
