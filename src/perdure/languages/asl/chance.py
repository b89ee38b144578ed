"""Chance without chance: numbers that look random and follow from a seed, so that a decision stays a pure function."""

from __future__ import annotations

import hashlib


class Chance:
    """A stream of random numbers.

    Args:
        seed: whatever makes the place unique: the run's id and the number of the event at which the state was entered.
    """

    def __init__(self, seed: str | bytes) -> None:
        self.seed = seed.encode() if isinstance(seed, str) else seed
        self.drawn = 0

    def bytes(self) -> bytes:
        """Sixteen random bytes."""
        self.drawn += 1
        return hashlib.blake2b(self.seed, digest_size=16, salt=self.drawn.to_bytes(16, "big")).digest()

    def random(self) -> float:
        """From 0, included, to 1, excluded."""
        return (int.from_bytes(self.bytes()[:8], "big") >> 11) / (1 << 53)

    def uuid(self) -> str:
        """A UUID of version 4."""
        number = int.from_bytes(self.bytes(), "big")
        number = number & ~(0xF << 76) | (4 << 76)
        number = number & ~(0x3 << 62) | (0x2 << 62)
        text = f"{number:032x}"
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
