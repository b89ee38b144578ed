"""The run itself: what clients ask of it as a whole."""

import msgspec

from perdure.model.affinity import Affinity
from perdure.model.events import AnyRecord
from perdure.model.failures import Failure
from perdure.model.ids import CompletionCallback, ParentLink, RunAddress
from perdure.model.options import IdConflict, IdReuse, Initiator, ParentClose, RetryPolicy, Versioning
from perdure.model.payloads import PayloadMap, Payloads, UserMetadata
from perdure.model.requests.message import SignalWorkflow, UpdateWorkflow
from perdure.model.requests.request import BaseRequest
from perdure.model.task_queues import Priority


class StartWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=1):
    """Start a run. ``..._ns`` are durations; 0 means no limit. ``time`` fields are ns since 1970.

    ``signal`` and ``update`` are delivered to the run that results, be it new or found (signal- and update-with-start).
    The fields from ``parent`` on are for the engine: children, retries, continue-as-new.
    """

    workflow_id: str
    workflow_type: str
    task_queue: str = "default"
    input: Payloads = ()
    request_id: str = ""
    id_reuse: IdReuse = IdReuse.ALLOW
    id_conflict: IdConflict = IdConflict.USE
    execution_timeout_ns: int = 0
    run_timeout_ns: int = 0
    task_timeout_ns: int = 0
    retry_policy: RetryPolicy | None = None
    start_delay_ns: int = 0
    memo: PayloadMap | None = None
    search_attributes: PayloadMap | None = None
    header: PayloadMap | None = None
    identity: str = ""
    signal: SignalWorkflow | None = None
    update: UpdateWorkflow | None = None
    parent: ParentLink | None = None
    parent_close_policy: ParentClose = ParentClose.TERMINATE
    root_workflow_id: str = ""
    root_run_id: str = ""
    continued_execution_run_id: str = ""
    first_execution_run_id: str = ""
    initiator: Initiator = Initiator.UNSPECIFIED
    continued_failure: Failure | None = None
    last_completion_result: Payloads = ()
    attempt: int = 1
    execution_expiration_time: int = 0
    pinned_build_id: str = ""
    """When set, only a worker of that build takes the run's turns."""
    completion_callback: CompletionCallback | None = None
    affinity: Affinity | None = None
    """Which workers take the run's turns; None for any."""
    user_metadata: UserMetadata | None = None
    priority: Priority | None = None
    """Of its activities that have none of their own."""
    cron_schedule: str = ""
    """When another run follows one that has ended, as in ``model.cron``; empty for never."""
    completion_callbacks: tuple[CompletionCallback, ...] = ()
    """Others who are told when the run closes. A run that is there already gets those of them that it does not have."""
    versioning_override: Versioning = Versioning.UNSPECIFIED
    """AUTO_UPGRADE: the run goes along with its deployment, even if its turns pin it."""
    attaches_request_id: bool = False
    """A run that is there already, and is the answer, learns of this request: the same again finds that run."""
    goes_on: str = ""
    """Why the run is a reset of the last one of its id, if that has failed or was ended; empty for a new beginning."""
    is_eager: bool = False
    """Whoever starts it takes its first turn, with the answer."""


_RESERVED = (
    "parent",
    "root_workflow_id",
    "root_run_id",
    "continued_execution_run_id",
    "first_execution_run_id",
    "initiator",
    "continued_failure",
    "last_completion_result",
    "attempt",
    "execution_expiration_time",
    "completion_callback",
    "completion_callbacks",
    "goes_on",
)


def reserved_fields(request: StartWorkflow) -> str:
    """Which fields are set that only the engine and its own workflows may set, in words; empty if none is.

    They name other runs, which hear of this one: a client that could set them would reach into other namespaces.
    """
    found = [
        field.name
        for field in msgspec.structs.fields(StartWorkflow)
        if field.name in _RESERVED and getattr(request, field.name) != field.default
    ]
    if request.update is not None and request.update.callbacks:
        found.append("update.callbacks")
    return ", ".join(found)


class CancelWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=4):
    """Ask the program to stop; it may clean up first. A second request changes nothing."""

    reason: str = ""
    request_id: str = ""
    identity: str = ""
    external: RunAddress | None = None
    external_initiated_event_id: int = 0
    child_of: str = ""
    """When set, only a child of the run with this run id may be cancelled."""


class TerminateWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=5):
    """Close the run at once; its program is not asked."""

    reason: str = ""
    details: Payloads = ()
    identity: str = ""
    child_of: str = ""
    """When set, only a child of the run with this run id may be terminated."""


class PauseWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=6):
    """No turn and no activity attempt starts until the run is resumed; what runs already may finish."""

    reason: str = ""
    identity: str = ""
    request_id: str = ""


class ResumeWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=7):
    """Let a paused run go on."""

    reason: str = ""
    identity: str = ""
    request_id: str = ""


class UpdateWorkflowOptions(BaseRequest, frozen=True, array_like=True, gc=False, tag=9):
    """Pin the run to a build of the code, or move it to another one; an empty ``pinned_build_id`` lets any worker take
    its turns again, and with AUTO_UPGRADE for ``versioning`` it goes along with its deployment whatever its turns say.
    With ``leaves_pin`` all that is as it was. With ``sets_priority`` what it schedules from now on has this
    ``priority``, where it says no other."""

    pinned_build_id: str
    identity: str = ""
    request_id: str = ""
    versioning: Versioning = Versioning.UNSPECIFIED
    leaves_pin: bool = False
    priority: Priority | None = None
    sets_priority: bool = False


class AttachCallbacks(BaseRequest, frozen=True, array_like=True, gc=False, tag=14):
    """Tell others as well when the run closes. A repeat, by the ``request_id``, changes nothing."""

    callbacks: tuple[CompletionCallback, ...]
    request_id: str = ""
    identity: str = ""


class ForkWorkflow(BaseRequest, frozen=True, array_like=True, gc=False, tag=8):
    """Start a new run from a copy of another one's history, up to and including the turn that ``event_id`` belongs to.

    ``records`` is the history of the run that is copied. ``input`` replaces the workflow's arguments; None keeps them.
    ``is_reset`` marks a fork under the same workflow id: signals that came after the event are delivered again.
    ``loses_children``: children that the copy would wait for have ended for it, as they did or as terminated; without it, it is
    refused to have such. ``child`` is the request of the parent that the copy is started for, if it is not the base's.
    """

    workflow_id: str
    base_run_id: str
    event_id: int
    records: tuple[AnyRecord, ...]
    input: Payloads | None = None
    reason: str = ""
    request_id: str = ""
    identity: str = ""
    is_reset: bool = False
    loses_children: bool = False
    child: StartWorkflow | None = None
    leaves_out: tuple[str, ...] = ()
    """What of that which came after the event is not delivered again: ``signals``, ``updates``."""
