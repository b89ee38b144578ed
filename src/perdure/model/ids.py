"""How a run is named."""

import msgspec


class RunAddress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A run as callers name it. An empty ``run_id`` means the current run of the workflow id: the last one started."""

    namespace: str
    workflow_id: str
    run_id: str = ""


class ParentLink(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The run that started this one, and the event there that asked for it."""

    namespace: str
    workflow_id: str
    run_id: str
    initiated_event_id: int
