"""New run ids: UUIDs of version 7 (RFC 9562), so that runs sort by when they were started."""

import os

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that holds the variant's two fixed bits and two random ones."""

_pool = ""
_position = 0


def _forget() -> None:
    global _pool
    _pool = ""


if hasattr(os, "register_at_fork"):
    # A child process must not go on with what its parent goes on with.
    os.register_at_fork(after_in_child=_forget)


def new_run_id(now_ns: int) -> str:
    """A run id for a run started at ``now_ns`` (ns since 1970)."""
    global _pool, _position
    start = _position
    if start >= len(_pool):
        _pool, start = os.urandom(4000).hex(), 0
    _position = start + 20
    ms = now_ns // 1_000_000
    return (
        f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{_pool[start : start + 3]}"
        f"-{_VARIANT[_pool[start + 3]]}{_pool[start + 4 : start + 7]}-{_pool[start + 7 : start + 19]}"
    )
