"""Updates: the program decides whether to accept one, and answers."""

import hashlib

from perdure.kernel import workflow_task
from perdure.kernel.commit import Answer, Commit, Message, Reason, Rejection
from perdure.kernel.run import Update
from perdure.model import events as e
from perdure.model.commands import AcceptUpdate, CompleteUpdate, RejectUpdate
from perdure.model.failures import Failure
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payloads
from perdure.model.requests import OperationClosed, UpdateWorkflow
from perdure.model.service import UpdateStage

LOWEST_REF = -(1 << 60)
HIGHEST_REF = LOWEST_REF + (1 << 40)
"""Between these are the refs of what is told to those whom the end of an update concerns; no other message has such."""

NEVER_COMPLETED = Failure(
    "Workflow Update failed because the Workflow completed before the Update completed.",
    type="AcceptedUpdateCompletedWorkflow",
    non_retryable=True,
    source="Server",
)
"""The words are Temporal's."""


def update(commit: Commit, request: UpdateWorkflow) -> Rejection | None:
    """Admit an update, unless one with this id was already."""
    run = commit.run
    if request.update_id in run.updates:
        return None
    limit = commit.limits.pending_updates
    if limit and sum(update.completed is None for update in run.updates.values()) >= limit:
        return Rejection(
            Reason.LIMIT,
            f"Run {run.run_id} has {limit} updates that have not completed (limit pending_updates). Try again later.",
        )
    commit.record(
        e.UpdateAdmitted(
            0,
            commit.now,
            request.update_id,
            request.update_name,
            request.input,
            request.header,
            request.identity,
            request.callbacks,
        )
    )
    workflow_task.request(commit)
    return None


def accept(commit: Commit, command: AcceptUpdate, sequencing_event_id: int) -> None:
    """The program accepted it."""
    admitted = commit.run.updates[command.update_id].admitted
    assert admitted is not None
    commit.record(
        e.WorkflowExecutionUpdateAccepted(
            commit.next_id,
            commit.now,
            command.update_id,
            admitted.update_name,
            admitted.input,
            admitted.header,
            admitted.identity,
            sequencing_event_id,
            admitted.callbacks,
        )
    )
    commit.answers.append(Answer(command.update_id, UpdateStage.ACCEPTED))


def reject(commit: Commit, command: RejectUpdate) -> None:
    """The program's validator refused it. The history does not show it."""
    _tell(commit, command.update_id, failure=command.failure)
    commit.record(e.UpdateRejected(0, commit.now, command.update_id, command.failure))
    commit.answers.append(Answer(command.update_id, UpdateStage.COMPLETED, failure=command.failure))


def reject_ignored(commit: Commit) -> None:
    """A turn has ended. The updates that it was to answer and did not are rejected, as Temporal does: the next turn
    would get them again, and so on for ever."""
    for update_id, update in tuple(commit.run.updates.items()):
        if update.admitted is not None and update.is_delivered:
            message = (
                f"Update {update.admitted.update_name!r} was neither accepted nor rejected by the worker that took the turn. "
                "It may not know updates."
            )
            reject(commit, RejectUpdate(update_id, Failure(message, source="perdure")))


def complete(commit: Commit, command: CompleteUpdate) -> None:
    """The program's handler has ended."""
    accepted_id = commit.run.updates[command.update_id].accepted_event_id
    _tell(commit, command.update_id, command.result, command.failure)
    commit.record(
        e.WorkflowExecutionUpdateCompleted(
            commit.next_id, commit.now, command.update_id, accepted_id, command.result, command.failure
        )
    )
    commit.answers.append(Answer(command.update_id, UpdateStage.COMPLETED, command.result, command.failure))


def tell_unanswered(commit: Commit) -> None:
    """The run closes: updates that were accepted have no answer, and those that were not, none either."""
    for update_id, update in commit.run.updates.items():
        if update.callbacks and update.completed is None:
            _tell(commit, update_id, failure=NEVER_COMPLETED)


def _tell(commit: Commit, update_id: str, result: Payloads = (), failure: Failure | None = None) -> None:
    """Operations that the update is end with it."""
    for number, callback in enumerate(commit.run.updates[update_id].callbacks):
        answered = e.WorkflowExecutionUpdateCompleted(0, commit.now, update_id, 0, result, failure)
        commit.send(
            Message(
                callback_ref(update_id, number),
                RunAddress(callback.namespace, callback.workflow_id),
                OperationClosed(callback.operation_event_id, callback.operation_request_id, answered, callback.token),
            )
        )


def callback_ref(update_id: str, number: int) -> int:
    """The ref of what is told to one of them."""
    return LOWEST_REF + int.from_bytes(hashlib.sha256(f"{update_id}/{number}".encode()).digest()[:5])


def answer(update_id: str, update: Update) -> Answer:
    """How far an update has come."""
    if update.completed is not None:
        return Answer(update_id, UpdateStage.COMPLETED, update.completed.result, update.completed.failure)
    return Answer(update_id, UpdateStage.ACCEPTED if update.accepted_event_id else UpdateStage.ADMITTED)
