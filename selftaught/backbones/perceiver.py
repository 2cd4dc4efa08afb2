"""The perceiver resampler: however many states of however many frames become a few latents (Alayrac et al. 2022)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PerceiverResampler(nn.Module):
    """Learned queries that look at the states of a picture or of a clip's frames (section 2.1, appendix A.1.1).

    The keys and values are the states and the latents together. States know their place in the picture already; the
    place of a frame in its clip is added here. Of clips with more frames than were trained the embeddings of time are
    interpolated, as in the paper.

    Args:
        width: of the states and of the latents (D).
        latents: how many are made of a picture or a clip (L).
        layers: of the resampler.
        frames: embeddings of time.
        head_width: of an attention head.
    """

    def __init__(self, width: int, *, latents: int, layers: int, frames: int, head_width: int = 32) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, width) / width**0.5)
        self.times = nn.Parameter(torch.zeros(frames, width))
        self.layers = nn.ModuleList(_Layer(width, max(1, width // head_width)) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, states: Tensor, count: Tensor) -> Tensor:
        """Latents [N, L, D] of states [N, F, T, D].

        Args:
            count: of the frames of each that are there, int64 [N]; what is behind them is not looked at.
        """
        states, seen = self._shown(states, count)
        latents = self.latents.expand(len(states), -1, -1)
        for layer in self.layers:
            latents = layer(latents, states, seen)
        return self.norm(latents)

    def shares(self, states: Tensor, count: Tensor) -> Tensor:
        """How much of what is looked at is in each frame, [N, F]: the mean over layers, heads and latents.

        What the latents look at among themselves does not count.
        """
        frames, places = states.shape[1:3]
        states, seen = self._shown(states, count)
        latents, found = self.latents.expand(len(states), -1, -1), []
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            weights = layer.attention.weights(*layer.looks(latents, states), seen)  # [N, heads, L, F * T + L]
            looked = weights[..., : frames * places].mean((1, 2)).unflatten(-1, (frames, places)).sum(-1)
            found.append(looked / looked.sum(-1, keepdim=True))
            latents = layer(latents, states, seen)
        return torch.stack(found).mean(0)

    def _shown(self, states: Tensor, count: Tensor) -> tuple[Tensor, Tensor | None]:
        """States [N, F * T, D] that know their time, and which of them and of the latents are there, if not all."""
        clips, frames, places = states.shape[:3]
        states = (states + self._times(frames)[:, None]).flatten(1, 2)
        there = torch.arange(frames, device=count.device) < count[:, None]  # [N, F]
        if bool(there.all()):
            return states, None
        seen = there.repeat_interleave(places, 1)
        return states, torch.cat([seen, seen.new_ones(clips, len(self.latents))], 1)[:, None, None]

    def _times(self, frames: int) -> Tensor:
        """An embedding for each of so many frames, [F, D]."""
        if frames <= len(self.times):
            return self.times[:frames]
        return F.interpolate(self.times.T[None], size=frames, mode="linear", align_corners=True)[0].T


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_states, self.norm_latents = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = CrossAttention(width, width, width, heads)
        self.forth = feed_forward(width)

    def forward(self, latents: Tensor, states: Tensor, seen: Tensor | None) -> Tensor:
        latents = latents + self.attention(*self.looks(latents, states), seen)
        return latents + self.forth(latents)

    def looks(self, latents: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
        """What looks, and what is looked at: the states and the latents together."""
        own = self.norm_latents(latents)
        return own, torch.cat([self.norm_states(states), own], 1)


class CrossAttention(nn.Module):
    """Attention of some rows to others.

    Args:
        width: of the rows that look (D).
        seen_width: of the rows that are looked at (E).
        inner: of all heads together.
        heads: how many.
    """

    def __init__(self, width: int, seen_width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, inner, bias=False)
        self.key_value = nn.Linear(seen_width, 2 * inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)

    def forward(self, looking: Tensor, seen: Tensor, mask: Tensor | None) -> Tensor:
        """[N, Q, D] from rows [N, Q, D] and [N, K, E]; ``mask`` bool, to be broadcast to [N, heads, Q, K]."""
        found = F.scaled_dot_product_attention(*self._projected(looking, seen), attn_mask=mask)
        return self.out(found.transpose(1, 2).flatten(2))

    def weights(self, looking: Tensor, seen: Tensor, mask: Tensor | None) -> Tensor:
        """How much each row looks at each of the others, [N, heads, Q, K]."""
        query, key, _ = self._projected(looking, seen)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)

    def _projected(self, looking: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each [N, heads, rows, inner / heads]."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(looking), *self.key_value(seen).chunk(2, -1))
        )
        return query, key, value


def feed_forward(width: int) -> nn.Sequential:
    """A norm and two layers, four times as wide between them."""
    inner = 4 * width
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, inner, bias=False), nn.GELU(), nn.Linear(inner, width, bias=False)
    )
