"""Clips of bouncing balls: pictures whose future can be told only by who knows what meets what.

Balls fly straight, come back from the walls and, in one of two forms, from each other. Their mass shows: it is their
area. They are the test of whatever claims to predict; there is nothing to download.
"""

from dataclasses import dataclass

import numpy as np

from selftaught.randomness import derive

_SUBSTEPS = 16  # a frame: in one of them a ball moves a fraction of a pixel
_TRIES = 200


@dataclass(frozen=True)
class Balls:
    """How the balls are.

    Args:
        meet: whether they bounce off each other; otherwise they pass through each other.
        count: balls in a clip.
        frames: pictures in a clip.
        side: of a picture, in pixels.
        smallest, largest: radii, as shares of the side.
        speed: the largest at the beginning, in shares of the side a frame; the least is half of it, and directions are
            drawn evenly.
    """

    meet: bool = True
    count: int = 3
    frames: int = 16
    side: int = 32
    smallest: float = 0.12
    largest: float = 0.18
    speed: float = 0.09


@dataclass(frozen=True)
class BallClips:
    """Clips, and the truth about them.

    Args:
        pixels: uint8 [N, T, 3, H, W].
        places: of the centres, x and y in pixels, float32 [N, T, K, 2].
        speeds: in pixels a frame, float32 [N, T, K, 2].
        radii: in pixels, float32 [N, K]; masses are their squares.
        met: whether a ball met another since the frame before, bool [N, T, K]; where they pass through each other,
            whether they would have.
    """

    pixels: np.ndarray
    places: np.ndarray
    speeds: np.ndarray
    radii: np.ndarray
    met: np.ndarray


def ball_clips(clips: int, seed: int, how: Balls = Balls()) -> BallClips:
    """Clips of balls, the same for the same seed."""
    draw = np.random.default_rng(derive("balls", seed))
    radii = draw.uniform(how.smallest, how.largest, (clips, how.count)) * how.side
    places, angles = _apart(draw, radii, how.side), draw.uniform(0, 2 * np.pi, (clips, how.count))
    pace = draw.uniform(how.speed / 2, how.speed, (clips, how.count)) * how.side
    speeds = np.stack([np.cos(angles), np.sin(angles)], -1) * pace[..., None]
    hues = (draw.uniform(0, 1, (clips, 1)) + np.arange(how.count) / how.count) % 1
    seen_places, seen_speeds, met = (np.zeros((clips, how.frames, how.count, *last)) for last in ((2,), (2,), ()))
    for frame in range(how.frames):
        if frame:
            met[:, frame] = _move(places, speeds, radii, how)
        seen_places[:, frame], seen_speeds[:, frame] = places, speeds
    pixels = _drawn(seen_places, radii, _colours(hues), how.side)
    return BallClips(
        pixels, seen_places.astype(np.float32), seen_speeds.astype(np.float32), radii.astype(np.float32), met > 0
    )


def _apart(draw: np.random.Generator, radii: np.ndarray, side: int) -> np.ndarray:
    """Places within the walls where no two balls overlap, [N, K, 2]: those that do are drawn anew, a clip at a time."""
    clips, count = radii.shape
    places = np.zeros((clips, count, 2))
    wrong = np.ones(clips, bool)
    for _ in range(_TRIES):
        room = side - 2 * radii[wrong, :, None]
        places[wrong] = radii[wrong, :, None] + draw.uniform(0, 1, (int(wrong.sum()), count, 2)) * room
        wrong = _gaps(places, radii).min((1, 2)) < 0
        if not wrong.any():
            return places
    raise ValueError(f"there is no room for {count} balls of these sizes")


def _gaps(places: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Between the surfaces of each two balls, [N, K, K]; infinite from a ball to itself."""
    between = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1) - radii[:, :, None] - radii[:, None]
    between[:, np.arange(radii.shape[1]), np.arange(radii.shape[1])] = np.inf
    return between


def _move(places: np.ndarray, speeds: np.ndarray, radii: np.ndarray, how: Balls) -> np.ndarray:
    """Go on by a frame, in place; which balls met another, [N, K]."""
    met = np.zeros(radii.shape, bool)
    for _ in range(_SUBSTEPS):
        places += speeds / _SUBSTEPS
        low, high = radii[..., None], how.side - radii[..., None]
        outward = ((places < low) & (speeds < 0)) | ((places > high) & (speeds > 0))
        speeds[outward] *= -1
        for i in range(how.count):
            for j in range(i + 1, how.count):
                line = places[:, j] - places[:, i]
                distance = np.linalg.norm(line, axis=1)
                line /= np.maximum(distance, 1e-9)[:, None]
                closing = ((speeds[:, i] - speeds[:, j]) * line).sum(1)
                touch = (distance < radii[:, i] + radii[:, j]) & (closing > 0)
                met[touch, i] = met[touch, j] = True
                if how.meet:
                    masses = radii[touch, i, None] ** 2, radii[touch, j, None] ** 2
                    speeds[touch, i], speeds[touch, j] = after_meeting(
                        speeds[touch, i], speeds[touch, j], *masses, line[touch]
                    )
    return met


def after_meeting(
    one: np.ndarray, other: np.ndarray, mass: np.ndarray, other_mass: np.ndarray, line: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The speeds [N, 2] of two elastic bodies after they met: momentum goes over along the line between their centres.

    Args:
        one, other: their speeds before, [N, 2].
        mass, other_mass: [N, 1].
        line: from the first to the second, of length 1, [N, 2].
    """
    closing = ((one - other) * line).sum(1, keepdims=True)
    given = 2 * closing * line / (mass + other_mass)
    return one - given * other_mass, other + given * mass


def _colours(hues: np.ndarray) -> np.ndarray:
    """Full colours of hues in [0, 1), [N, K] to [N, K, 3] in [0, 1]."""
    return np.clip(np.abs((hues[..., None] * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)


def _drawn(places: np.ndarray, radii: np.ndarray, colours: np.ndarray, side: int) -> np.ndarray:
    """Discs on black, uint8 [N, T, 3, H, W]; of two at one place the later one is seen. Borders are smooth."""
    clips, frames, count, _ = places.shape
    pixels = np.zeros((clips, frames, 3, side, side), np.float32)
    centres = np.arange(side) + 0.5
    for ball in range(count):
        x, y = (places[:, :, ball, axis, None, None] for axis in (0, 1))
        distance = np.hypot(centres[None, :] - x, centres[:, None] - y).astype(np.float32)
        cover = np.clip(radii[:, None, ball, None, None] + 0.5 - distance, 0, 1)[:, :, None].astype(np.float32)
        pixels += cover * (colours[:, None, ball, :, None, None].astype(np.float32) - pixels)
    return np.round(pixels * 255).astype(np.uint8)
