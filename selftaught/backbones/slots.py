"""Objects in clips: slots that part the features of a frame among themselves, follow what they hold, and draw it.

A slot says where its object is and what it is: ``where`` are two numbers, x and y from -1 to 1, ``what`` is a vector.
Attention and drawing look at places as they lie from a slot's own (Biza et al. 2023, "Invariant slot attention", of
which only the shift is taken), so that what is learned of an object holds wherever it is.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NEAR = 4.0  # by which distances, in half sides, are multiplied where networks read them


class Slots(NamedTuple):
    """Of K objects in each frame.

    Args:
        where: [..., K, 2].
        what: [..., K, E]; of mean 0 and deviation 1.
    """

    where: Tensor
    what: Tensor

    def at(self, time: int) -> "Slots":
        """Those [B, K, ...] of a frame of clips [B, T, K, ...]."""
        return Slots(self.where[:, time], self.what[:, time])

    def detached(self) -> "Slots":
        """Without their graph."""
        return Slots(self.where.detach(), self.what.detach())


def in_time(frames: list[Slots]) -> Slots:
    """Those of frames one after the other, [B, T, K, ...]."""
    return Slots(*(torch.stack(parts, 1) for parts in zip(*frames, strict=True)))


def grid(across: int) -> Tensor:
    """The middles of ``across`` x ``across`` places, row by row, as x and y from -1 to 1: [P, 2]."""
    line = (torch.arange(across) + 0.5) * 2 / across - 1
    return torch.stack([line.repeat(across), line.repeat_interleave(across)], 1)


class SlotAttention(nn.Module):
    """From the states of the places of frames to slots (Locatello et al. 2020, algorithm 1).

    Slots compete for the places. Those of the first frame begin as learned, those of each other one as the slots of the
    frame before (Kipf et al. 2022, "SAVi", section 3), so that a slot follows its object.

    Args:
        width: of a state.
        across: places of a frame in each direction.
        slots: how many there are.
        size: of ``what`` a slot holds.
        first, later: rounds of attention in the first frame and in each other.
    """

    places: Tensor

    def __init__(self, width: int, across: int, slots: int, size: int, first: int = 3, later: int = 1) -> None:
        super().__init__()
        self.rounds = first, later
        self.register_buffer("places", grid(across), persistent=False)
        self.begin_what = nn.Parameter(torch.randn(slots, size))
        self.begin_where = nn.Parameter(torch.randn(slots, 2) * 0.3)
        self.read = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, size), nn.ReLU(), nn.Linear(size, size))
        self.norm, self.slot_norm, self.what_norm = nn.LayerNorm(size), nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key, self.value = (nn.Linear(size, size, bias=False) for _ in range(3))
        self.key_place, self.value_place = nn.Linear(2, size), nn.Linear(2, size)
        self.mixed = nn.Sequential(nn.LayerNorm(size), nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size))
        self.update = nn.GRUCell(size, size)
        self.more = nn.Sequential(nn.Linear(size, 2 * size), nn.ReLU(), nn.Linear(2 * size, size))

    def forward(self, states: Tensor) -> Slots:
        """From [B, T, P, D] to the slots of each frame."""
        read = self.norm(self.read(states))
        keys, values = self.key(read), self.value(read)
        what = self.begin_what.expand(len(states), -1, -1)
        where = self.begin_where.expand(len(states), -1, -1)
        found = []
        for time in range(states.shape[1]):
            for _ in range(self.rounds[time > 0]):
                where, what = self._attend(where, what, keys[:, time], values[:, time])
            found.append(Slots(where, F.layer_norm(what, what.shape[-1:])))
        return in_time(found)

    def _attend(self, where: Tensor, what: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        away = (self.places - where[:, :, None]) * _NEAR  # [B, K, P, 2]
        query = self.query(self.slot_norm(what))[:, :, None]
        told = (query * self.mixed(keys[:, None] + self.key_place(away))).sum(-1)  # [B, K, P]
        shares = (told * keys.shape[-1] ** -0.5).softmax(1)
        shares = shares / (shares.sum(-1, keepdim=True) + 1e-6)
        where = shares @ self.places
        away = (self.places - where[:, :, None]) * _NEAR
        found = (shares[..., None] * self.mixed(values[:, None] + self.value_place(away))).sum(2)
        what = self.update(found.flatten(0, 1), what.flatten(0, 1)).view_as(what)
        return where, what + self.more(self.what_norm(what))


class SlotDecoder(nn.Module):
    """Draws what slots hold, each by itself and by the same network, and lays one over the other.

    Args:
        size: of ``what`` a slot holds.
        inner: width of the network.
        across: patches of a frame in each direction.
        patch: the side of one, in pixels.
    """

    places: Tensor
    patch: int

    def __init__(self, size: int, inner: int, across: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.register_buffer("places", grid(across), persistent=False)
        self.enter = nn.Linear(size, inner)
        self.place = nn.Sequential(nn.Linear(2, inner), nn.ReLU(), nn.Linear(inner, inner))
        self.draw = nn.Sequential(
            nn.ReLU(), nn.Linear(inner, inner), nn.ReLU(), nn.Linear(inner, 4 * patch**2), nn.Unflatten(-1, (-1, 4))
        )

    def forward(self, slots: Slots) -> tuple[Tensor, Tensor]:
        """The patches of each frame [..., P, patch * patch * 3], and whose each pixel is [..., K, P, patch * patch]."""
        away = (self.places - slots.where[..., None, :]) * _NEAR
        drawn = self.draw(self.enter(slots.what)[..., None, :] + self.place(away))  # [..., K, P, pixels, 4]
        shares = drawn[..., 3:].softmax(-4)
        return (drawn[..., :3] * shares).sum(-4).flatten(-2), shares.squeeze(-1)


class SlotMotion(nn.Module):
    """The next state of each slot from its last ones and from what the others tell it (Battaglia et al. 2016).

    Every other slot sends a message, which depends on both; messages are added up. Where there is no interaction, a
    slot hears itself in place of each other: the same network with as many weights and as much work, and no news.

    Args:
        size: of ``what`` a slot holds.
        past: frames that are known: two tell a speed.
        inner: width of the network.
        interaction: whether slots hear each other.
    """

    def __init__(self, size: int, past: int, inner: int, interaction: bool) -> None:
        super().__init__()
        self.past, self.interaction = past, interaction
        state = size + 2 * past
        self.message = nn.Sequential(nn.Linear(2 * state, inner), nn.ReLU(), nn.Linear(inner, inner), nn.ReLU())
        last = nn.Linear(inner, size + 2)
        nn.init.normal_(last.weight, std=1e-3)  # it begins with: all goes on as it went
        nn.init.zeros_(last.bias)
        self.change = nn.Sequential(
            nn.Linear(state + inner, inner), nn.ReLU(), nn.Linear(inner, inner), nn.ReLU(), last
        )

    def forward(self, known: list[Slots]) -> Slots:
        """The slots [B, K, ...] of the frame after those that are known: all goes on as it went, but for a change."""
        last = known[-1]
        speeds = [later.where - sooner.where for sooner, later in pairwise(known)]
        state = torch.cat([last.where, *(speed * 2 * _NEAR for speed in speeds), last.what], -1)
        count = state.shape[1]
        own = state[:, :, None].expand(-1, -1, count, -1)
        other = state[:, None].expand(-1, count, -1, -1) if self.interaction else own
        moving = 2 * self.past  # of the numbers of a state: where it is, and how it went
        away = torch.cat([(other - own)[..., :2] * _NEAR, (other - own)[..., 2:moving]], -1)
        messages = self.message(torch.cat([own, away, other[..., moving:]], -1))
        heard = (messages * ~torch.eye(count, dtype=torch.bool, device=state.device)[..., None]).sum(2)
        change = self.change(torch.cat([state, heard], -1))
        straight = last.where + (speeds[-1] if speeds else 0)
        return Slots(straight + change[..., :2] / (2 * _NEAR), last.what + change[..., 2:])

    def ahead(self, known: list[Slots], steps: int) -> Slots:
        """So many frames more, each from those before it: [B, steps, K, ...]."""
        found = []
        for _ in range(steps):
            found.append(self(known))
            known = [*known[1:], found[-1]]
        return in_time(found)
