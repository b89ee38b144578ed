"""Durable workflows in plain Python.

A program is written with ``App``, ``activity`` and ``workflow``, and run by ``open``: an engine, a worker and a client in
one process over one file. The way of one request through the engine::

        client, timer, another run
            |  Request (StartWorkflow, SignalWorkflow, CompleteActivity, FireTimer ...)
            v
     engine.submit      finds the run, in memory or in the store
            v
     kernel.transition(run, request, now) -> Commit | Rejection        pure: no clock, no chance, no I/O
            v                                 Commit = records + tasks + timers + messages + answers
     turns              a program of this process takes its turn at once; what it asks for joins the commit
            v
     store.write([... many runs' commits ...])   one transaction, expected version and epoch checked
            v
     effects            activities start, callers are answered, timers are armed, messages leave
            v
     worker             an activity's end is the next Request

Start reading at ``engine/engine.py``, ``kernel/transition.py`` and ``kernel/commit.py``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from perdure._public import *  # noqa: F403
    from perdure._public import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Load the public names when the first of them is asked for.

        All together they take a third of a second, and the command line, which asks for none, should not wait for them.
        """
        # Python asks for some itself, such as __path__.
        if not name.startswith("__") or name == "__all__":
            # Not `from perdure import`, which would ask here for the module first.
            _public = import_module("perdure._public")
            globals().update({public: getattr(_public, public) for public in _public.__all__}, __all__=_public.__all__)
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """All names, loaded or not."""
        return sorted({*globals(), *__getattr__("__all__")})
