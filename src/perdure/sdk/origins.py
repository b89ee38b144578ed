"""Whose code it is: the user's, a library's, or ours."""

import os
import sysconfig
from functools import cache
from types import FrameType

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = tuple(
    os.path.realpath(sysconfig.get_paths()[name]) + os.sep
    for name in ("stdlib", "platstdlib")
    if name in sysconfig.get_paths()
)
_INSTALLED = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


@cache
def is_user_code(filename: str) -> bool:
    """Whether a source file is neither the standard library's, nor an installed package's, nor Perdure's."""
    if filename.startswith("<"):
        # A notebook's cell or an interactive line is the user's; what the interpreter made up is not.
        return not filename.startswith("<frozen")
    path = os.path.abspath(filename)
    if path.startswith(_OURS) or any(part in path for part in _INSTALLED):
        return False
    return not os.path.realpath(path).startswith(_STANDARD)


def first_user_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of user code, counting outwards."""
    while frame is not None:
        if is_user_code(frame.f_code.co_filename):
            return frame
        frame = frame.f_back
    return None
