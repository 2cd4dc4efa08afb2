"""Gated cross-attention: how the layers of a frozen language model come to see pictures (Alayrac et al. 2022)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from selftaught.backbones.perceiver import CrossAttention, feed_forward


@dataclass(frozen=True)
class Sight:
    """What the tokens of some rows may look at.

    Args:
        latents: of the pictures of each row, float [B, M, L, E].
        media: which of them a token sees, int64 [B, T]: from 1 on, and 0 for a token that sees none.
    """

    latents: Tensor
    media: Tensor

    def of(self, rows: int, tokens: int) -> "Sight":
        """As a language model that is writing needs it: of ``rows`` rows, and the last ``tokens`` tokens of them.

        A row may be there several times, one after the other, as beams are. New tokens see what the last one given
        sees; where fewer tokens are asked about than were given, all of them are new, for the others are remembered.
        """
        media, latents = self.media, self.latents
        given = media.shape[1]
        if tokens < given:
            media = media[:, -1:].expand(-1, tokens)
        elif tokens > given:
            media = torch.cat([media, media[:, -1:].expand(-1, tokens - given)], 1)
        if rows > len(media):
            media, latents = (part.repeat_interleave(rows // len(part), 0) for part in (media, latents))
        return Sight(latents, media)


class GatedCrossAttention(nn.Module):
    """A layer that goes before one of the language model: cross-attention and a feed-forward part, each behind a gate.

    The gates are ``tanh`` of a weight that starts at 0, so that an untrained one passes on what it is given (section
    2.2, figure 4). A token sees the latents of one picture, the last one before it (section 2.3). One that sees none
    is passed on as it is, by the feed-forward part too, which in the paper has its say on every token: so a text
    without pictures is read as the language model reads it, however much was trained.

    Args:
        width: of the language model's states (D).
        seen_width: of the latents (E).
        head_width: of an attention head.
    """

    def __init__(self, width: int, seen_width: int, head_width: int = 32) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = CrossAttention(width, seen_width, width, max(1, width // head_width))
        self.forth = feed_forward(width)
        self.attention_gate, self.forth_gate = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))

    def forward(self, states: Tensor, sight: Sight) -> Tensor:
        """States [B, T, D] as those who have looked."""
        media, each = sight.media, sight.latents.shape[2]
        pictures = torch.arange(1, sight.latents.shape[1] + 1, device=media.device)
        sees = media > 0
        mask = (media[:, :, None] == pictures) | ~sees[:, :, None]  # a row without anything to attend to would be NaN
        mask = mask.repeat_interleave(each, 2)[:, None]  # [B, 1, T, M * L]
        sees = sees[:, :, None]
        looked = self.attention(self.norm(states), sight.latents.flatten(1, 2), mask)
        states = states + torch.where(sees, self.attention_gate.tanh() * looked, 0.0)
        return states + torch.where(sees, self.forth_gate.tanh() * self.forth(states), 0.0)
