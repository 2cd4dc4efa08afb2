"""Near copies by MinHash and locality-sensitive hashing, with shingles of five words, or of five Chinese characters.

Broder 1997, "On the resemblance and containment of documents"; the bands are those of FineWeb (Penedo et al. 2024).
Two documents with a share s of their shingles in common (Jaccard) are found with a chance of 1 - (1 - s^8)^14: 0.999 at
0.9, 0.92 at 0.8, 0.56 at 0.7, 0.05 at 0.5 and 0.001 at 0.3.
"""

import numpy as np

from selftaught.corpus.reading import Reading

SHINGLE = 5  # words
BANDS, ROWS = 14, 8
_CHUNK = 2048  # shingles: with all hashes of them in the processor's cache
_HASHES = np.random.Generator(np.random.PCG64(20210517)).integers(0, 1 << 32, (2, BANDS * ROWS, 1), np.uint32)
_FACTORS, _OFFSETS = _HASHES[0] | np.uint32(1), _HASHES[1]
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # of splitmix64, Steele et al. 2014


def signature(reading: Reading) -> np.ndarray:
    """The least hash of the shingles by each function: uint32 [BANDS * ROWS]."""
    shingles = reading.runs(min(SHINGLE, max(len(reading.lengths), 1)))
    if not len(shingles):
        shingles = np.zeros(1, np.uint64)
    narrow = (mixed(shingles) >> np.uint64(32)).astype(np.uint32)
    least = np.full(BANDS * ROWS, 0xFFFFFFFF, np.uint32)
    for begin in range(0, len(narrow), _CHUNK):
        hashed = narrow[begin : begin + _CHUNK] * _FACTORS
        hashed += _OFFSETS
        np.minimum(least, hashed.min(axis=1), out=least)
    return least


def band_keys(signatures: np.ndarray) -> np.ndarray:
    """A key for each band: uint64 [D, BANDS] of uint32 [D, BANDS * ROWS]; documents that share one are near copies."""
    rows = signatures.reshape(-1, BANDS, ROWS).astype(np.uint64)
    keys = np.zeros(rows.shape[:2], np.uint64)
    for row in range(ROWS):
        keys = mixed(keys ^ rows[:, :, row])
    return keys


def mixed(values: np.ndarray) -> np.ndarray:
    """Every bit of the result depends on every bit of the value: uint64 of the same shape."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    return values ^ (values >> np.uint64(31))
