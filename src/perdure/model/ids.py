"""How a run is named."""

import msgspec


class RunAddress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A run as callers name it. An empty ``run_id`` means the current run of the workflow id: the last one started."""

    namespace: str
    workflow_id: str
    run_id: str = ""


class ParentLink(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The run that started this one, and the event there that asked for it. ``depth`` counts the runs above the child:
    1 where the parent is nobody's child."""

    namespace: str
    workflow_id: str
    run_id: str
    initiated_event_id: int
    depth: int = 1


class Ancestry(ParentLink, frozen=True, array_like=True, gc=False):
    """What lists know of the runs above one: its parent, and the run at the top, which is nobody's child. The latter is
    empty for runs that were written before it was kept."""

    root_workflow_id: str = ""
    root_run_id: str = ""


class CompletionCallback(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who is told when a run closes for good, retries and continuations included: the workflow's current run gets a
    signal, once, whose argument is a ``Completion``.

    With an ``operation_event_id`` the run is an operation that the workflow's current run has asked for with that event
    and ``operation_request_id``: it ends as this one does. ``token`` is the operation's name then. ``shown`` is how
    whoever asked for the callback has put it, which only their protocol can read; ``request_id`` names the request that
    brought it, empty for the start.
    """

    namespace: str
    workflow_id: str
    signal_name: str
    operation_event_id: int = 0
    operation_request_id: str = ""
    token: str = ""
    shown: bytes = b""
    request_id: str = ""


class DetachedStart(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a run is started that is nobody's child. The same ``request_id`` again, also from another run, starts nothing
    more; without one, each command starts one run. ``identity`` is who asks, in the new run's history. With a
    ``closed_signal``, the starter's workflow id gets that signal when the run closes, as by a ``CompletionCallback``."""

    request_id: str = ""
    identity: str = ""
    closed_signal: str = ""


class Completion(msgspec.Struct, frozen=True, gc=False):
    """How a run, and the chain that began with ``first_run_id``, ended; ``status`` is a ``RunStatus`` as a number."""

    workflow_id: str
    run_id: str
    first_run_id: str
    status: int
    close_time: int
