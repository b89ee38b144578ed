"""Whose code it is: the user's own, an installed package's, the standard library's, or ours."""

import os
import sysconfig
from enum import Enum
from functools import cache
from types import FrameType


class Owner(Enum):
    """Who wrote a source file, as far as its place tells. An installed package may be the user's, too."""

    USER = 1
    INSTALLED = 2
    STANDARD = 3
    PERDURE = 4


_PERDURE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = tuple(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


@cache
def owner_of(filename: str) -> Owner:
    """Whose a source file is."""
    if filename.startswith("<frozen"):
        return Owner.STANDARD
    path = os.path.abspath(filename)
    if path.startswith(_PERDURE):
        return Owner.PERDURE
    if any(part in path for part in _INSTALLED):
        return Owner.INSTALLED
    return Owner.STANDARD if os.path.realpath(path).startswith(_STANDARD) else Owner.USER


def place_of(frame: FrameType | None) -> str:
    """The line that a person would call the place of a frame, counting outwards: of the user's own code, if there is
    any.

    Empty when all of it is the standard library's or ours.
    """
    installed: FrameType | None = None
    while frame is not None:
        owner = owner_of(frame.f_code.co_filename)
        if owner is Owner.USER:
            return _line(frame)
        if owner is Owner.INSTALLED and installed is None:
            installed = frame
        frame = frame.f_back
    return _line(installed) if installed is not None else ""


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_qualname}"
