"""New run ids: UUIDs of version 7 (RFC 9562), so that runs sort by when they were started."""

import os
from collections import deque

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit that holds the variant's two fixed bits and two random ones."""

_AT_ONCE = 128
_DIGITS = 20

_pool: deque[str] = deque()
"""What comes behind the time, ready made."""

_last_ms = -1
_time = ""

if hasattr(os, "register_at_fork"):
    # A child process must not go on with what its parent goes on with.
    os.register_at_fork(after_in_child=_pool.clear)


def new_run_id(now_ns: int) -> str:
    """A run id for a run started at ``now_ns`` (ns since 1970)."""
    global _last_ms, _time
    ms = now_ns // 1_000_000
    if ms != _last_ms:
        _last_ms, _time = ms, f"{ms >> 16:08x}-{ms & 0xFFFF:04x}"
    if not _pool:
        digits = os.urandom(_AT_ONCE * _DIGITS // 2).hex()
        _pool.extend(_rest(digits, start) for start in range(0, len(digits), _DIGITS))
    return _time + _pool.popleft()


def _rest(digits: str, start: int) -> str:
    variant = _VARIANT[digits[start + 3]]
    return f"-7{digits[start : start + 3]}-{variant}{digits[start + 4 : start + 7]}-{digits[start + 7 : start + 19]}"
