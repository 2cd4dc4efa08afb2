"""Pictures that are nearly one another: brought to another size, compressed again, a little brighter."""

import numpy as np

HASH_SIDE = 8
_MOST_BITS = 3  # of 64 that may differ
_BANDS = 4  # of 16 bits: of two hashes that differ in three bits at most, one band at least is the same


def difference_hash(picture: np.ndarray) -> int:
    """64 bits that say, on a coarse grid, where a picture grows lighter to the right; 0 for one that nowhere does.

    From uint8 [3, H, W], H and W at least 9 (Krawetz 2013, "Kind of like that").
    """
    light = picture.mean(0, dtype=np.float32)
    rows = np.array_split(light, HASH_SIDE, 0)
    grid = np.array([[cell.mean() for cell in np.array_split(row, HASH_SIDE + 1, 1)] for row in rows])
    bits = (np.diff(grid, axis=1) > 1.0).ravel()  # of 255: what differs by less is flat
    return int(np.packbits(bits).view(">u8")[0])


def near_copies(hashes: np.ndarray) -> np.ndarray:
    """For each hash, uint64 [N], the place of the first before it that differs in three bits at most, or -1: int64 [N].

    A hash of 0 is near none: flat pictures have it, whatever they show.
    """
    first = np.full(len(hashes), -1, np.int64)
    for band in range(_BANDS):
        keys = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.lexsort((np.arange(len(hashes)), keys))
        begins = np.unique(keys[order], return_index=True)[1]
        for members in np.split(order, begins[1:]):
            for place in range(1, len(members)):
                here, before = members[place], members[:place]
                if hashes[here] == 0:
                    continue
                differ = np.bitwise_count(hashes[before] ^ hashes[here])
                near = before[(differ <= _MOST_BITS) & (hashes[before] != 0)]
                if len(near) and (first[here] < 0 or near[0] < first[here]):
                    first[here] = near[0]
    return first
