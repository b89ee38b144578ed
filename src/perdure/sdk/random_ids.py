"""Ids that nobody else has: of requests that may be sent again, of workflows that were not given one.

The operating system is asked for chance for some hundred ids at a time, since asking costs more than all the rest.
"""

import os
from collections import deque

_DIGITS = 32
_AT_ONCE = 256

_urandom = os.urandom  # before ``guards`` puts its own in the place: this never runs for a workflow's code
_pool: deque[str] = deque()

if hasattr(os, "register_at_fork"):
    # A child process must not go on with what its parent goes on with.
    os.register_at_fork(after_in_child=_pool.clear)


def new_id() -> str:
    """An id of 128 random bits, as 32 hexadecimal digits. May be called by any thread."""
    try:
        return _pool.popleft()
    except IndexError:
        digits = _urandom(_AT_ONCE * _DIGITS // 2).hex()
        _pool.extend(digits[start : start + _DIGITS] for start in range(_DIGITS, len(digits), _DIGITS))
        return digits[:_DIGITS]
