"""The shape of a transformer of so many parameters, and what a rank must hold to train it."""

from dataclasses import dataclass

from selftaught.scaling.arithmetic import SAVED_BYTES, STATE_BYTES, attention, kept, training_flops

_ASPECT = (
    128  # width a layer: that of Llama 7B and GPT-3 6.7B; the loss hardly depends on it (Kaplan et al. 2020, fig. 5)
)
_HEAD = 128

# Tokens a step from which parameters on (Brown et al. 2020, table 2.1); below, those of a recipe that says nothing.
_BATCH_TOKENS = ((0.0, 2048), (1e8, 0.5e6), (1e9, 1e6), (5e9, 2e6), (1e11, 3.2e6))


@dataclass(frozen=True)
class Network:
    """A decoder-like transformer.

    Args:
        parameters: of it, the embeddings included.
        inner: width of the feed-forward layers.
        length: tokens a sample.
    """

    parameters: float
    layers: int
    width: int
    heads: int
    inner: int
    vocabulary: int
    length: int

    @classmethod
    def of(cls, parameters: float, *, layers: int | None, width: int | None, vocabulary: int, length: int) -> "Network":
        """Of so many parameters, in the usual proportions where none are given; 12 a layer and squared width."""
        deep = layers or max(1, round((parameters / (12 * _ASPECT**2)) ** (1 / 3)))
        wide = width or max(32, round((parameters / (12 * deep)) ** 0.5 / 32) * 32)
        return cls(parameters, deep, wide, max(1, wide // _HEAD), 4 * wide, vocabulary, length)

    @property
    def flops(self) -> float:
        """Of a token, forward and backward."""
        return training_flops(self.parameters + attention(self.layers, self.width, self.length))

    def usual_batch(self, ranks: int) -> int:
        """Samples of a step, as many for each rank."""
        tokens = [size for least, size in _BATCH_TOKENS if self.parameters >= least][-1]
        return ranks * max(1, round(tokens / self.length / ranks))

    @property
    def checkpoint_bytes(self) -> float:
        return SAVED_BYTES * self.parameters


@dataclass(frozen=True)
class Memory:
    """Bytes of a rank.

    Args:
        weights, gradients, moments: its part of them, with a layer in whole where they are shared out.
        activations: kept for going backward, and the logits.
    """

    weights: float
    gradients: float
    moments: float
    activations: float

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.moments + self.activations


@dataclass(frozen=True)
class Layout:
    """How a training lies on its ranks.

    Args:
        ranks: that share the samples of a step.
        sharded: whether they share weights, gradients and moments, too.
        recomputed: whether a layer's insides are computed again going backward.
        rows: samples that a rank computes at once.
        accumulated: times that it does so for a step.
    """

    ranks: int
    sharded: bool
    recomputed: bool
    rows: int
    accumulated: int

    def memory(self, network: Network, number_bytes: int) -> Memory:
        """Of a rank.

        Args:
            number_bytes: of an activation.
        """
        share = network.parameters / (self.ranks if self.sharded else 1)
        layer = network.parameters / network.layers if self.sharded else 0.0
        quarter = STATE_BYTES // 4
        # ranks that put a step together from several batches hold the whole gradient until it is shared out
        held = network.parameters if self.sharded and self.accumulated > 1 else share
        shape = (network.width, network.inner, network.heads, network.length)
        # the outsides of all layers and the insides of one, or the insides of all
        inside = kept(1 if self.recomputed else network.layers, *shape, scores=False)
        numbers = inside + (network.layers * network.width if self.recomputed else 0)
        logits = 3 * 4 * network.vocabulary  # float32: themselves, their softmax, their gradient
        tokens = self.rows * network.length
        return Memory(
            quarter * (share + layer), quarter * held, 2 * quarter * share, tokens * (number_bytes * numbers + logits)
        )


def fitting_layout(network: Network, ranks: int, batch: int, memory: float, number_bytes: int) -> Layout | None:
    """The simplest layout that fits: whole on each rank, shared out, shared out and computed twice; None if none does.

    Args:
        batch: samples of a step.
        memory: bytes of a rank that may be used.
    """
    own = max(1, -(-batch // ranks))
    for sharded, recomputed in ((False, False), (True, False), (False, True), (True, True)):
        for accumulated in (2**power for power in range(own.bit_length() + 1)):
            layout = Layout(ranks, sharded, recomputed, max(1, -(-own // accumulated)), accumulated)
            if layout.memory(network, number_bytes).total <= memory:
                return layout
            if layout.rows == 1:
                break
    return None
