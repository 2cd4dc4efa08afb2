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
        clips, frames, places = states.shape[:3]
        states = (states + self._times(frames)[:, None]).flatten(1, 2)  # [N, F * T, D]
        there = torch.arange(frames, device=count.device) < count[:, None]  # [N, F]
        seen = there.repeat_interleave(places, 1)
        seen = torch.cat([seen, seen.new_ones(clips, len(self.latents))], 1)[:, None, None]  # [N, 1, 1, F * T + L]
        latents = self.latents.expand(clips, -1, -1)
        for layer in self.layers:
            latents = layer(latents, states, None if bool(there.all()) else seen)
        return self.norm(latents)

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
        own = self.norm_latents(latents)
        latents = latents + self.attention(own, torch.cat([self.norm_states(states), own], 1), seen)
        return latents + self.forth(latents)


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
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(looking), *self.key_value(seen).chunk(2, -1))
        )
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(found.transpose(1, 2).flatten(2))


def feed_forward(width: int) -> nn.Sequential:
    """A norm and two layers, four times as wide between them."""
    inner = 4 * width
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, inner, bias=False), nn.GELU(), nn.Linear(inner, width, bias=False)
    )
