"""New run ids: UUIDs of version 7 (RFC 9562), so that runs sort by when they were started."""

import os

_pool = b""
_position = 0


def new_run_id(now_ns: int) -> str:
    """A run id for a run started at ``now_ns`` (ns since 1970)."""
    global _pool, _position
    if _position + 10 > len(_pool):
        _pool, _position = os.urandom(4000), 0
    chance = _pool[_position : _position + 10].hex()
    _position += 10
    time = f"{now_ns // 1_000_000:012x}"
    return f"{time[:8]}-{time[8:]}-7{chance[:3]}-{'89ab'[int(chance[3], 16) & 3]}{chance[4:7]}-{chance[7:19]}"
