"""Whether a workflow id may be used again."""

import msgspec

from perdure.kernel.commit import Reason, Rejection
from perdure.model.options import IdConflict, IdReuse, RunStatus
from perdure.model.requests import StartWorkflow


class UseExisting(msgspec.Struct, frozen=True, gc=False):
    """Start nothing: the present run is the answer."""


class TerminateFirst(msgspec.Struct, frozen=True, gc=False):
    """Terminate the present run, then start."""


class StartNew(msgspec.Struct, frozen=True, gc=False):
    """Start."""


def decide(
    request: StartWorkflow, status: RunStatus, run_id: str, is_repeat: bool
) -> StartNew | UseExisting | TerminateFirst | Rejection:
    """What to do with a start whose workflow id belongs to a run in this ``status``.

    ``is_repeat`` says that this very request started that run. The rules are Temporal's ``WorkflowIdReusePolicy`` for
    closed runs and ``WorkflowIdConflictPolicy`` for open ones.
    """
    if is_repeat:
        return UseExisting()
    if not status.is_closed:
        match request.id_conflict:
            case IdConflict.USE:
                return UseExisting()
            case IdConflict.TERMINATE:
                return TerminateFirst()
            case IdConflict.FAIL:
                return Rejection(
                    Reason.ALREADY_EXISTS,
                    f"Workflow {request.workflow_id!r} is running as {run_id}. "
                    "Use another id, or id_conflict='use' or 'terminate'.",
                )
    failed = status in (RunStatus.FAILED, RunStatus.CANCELED, RunStatus.TERMINATED, RunStatus.TIMED_OUT)
    if request.id_reuse is IdReuse.ALLOW or (request.id_reuse is IdReuse.ALLOW_IF_FAILED and failed):
        return StartNew()
    return Rejection(
        Reason.ALREADY_EXISTS,
        f"Workflow {request.workflow_id!r} was run before, as {run_id} ({status.name}), "
        f"and id_reuse={request.id_reuse.name.lower()!r} does not allow another run.",
    )
