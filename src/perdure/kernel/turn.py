"""The end of a turn: the program's commands become events."""

from collections.abc import Sequence

from perdure.kernel import activity, command_checks, commands, update, workflow_task
from perdure.kernel.commit import Commit, Rejection
from perdure.kernel.run import WorkflowTask
from perdure.model import events as e
from perdure.model.commands import AnyCommand, RejectUpdate, RequestCancelActivityTask
from perdure.model.options import Versioning
from perdure.model.requests import CompleteWorkflowTask


def complete(commit: Commit, request: CompleteWorkflowTask) -> Rejection | None:
    """A worker hands in a turn's commands."""
    task = workflow_task.in_hand(commit.run, request.started_event_id, request.attempt)
    if task is None:
        return workflow_task.not_in_hand(commit.run)
    finish(
        commit,
        task,
        request.commands,
        request.identity,
        request.build_id,
        request.sdk_metadata,
        request.sticky_queue,
        request.state,
        request.deployment,
        request.versioning,
    )
    if request.forces_next and commit.run.close is None and commit.run.workflow_task is None:
        workflow_task.schedule(commit)
    return None


def finish(
    commit: Commit,
    task: WorkflowTask,
    asked: Sequence[AnyCommand],
    identity: str,
    build_id: str,
    sdk_metadata: bytes = b"",
    sticky_queue: str = "",
    state: bytes = b"",
    deployment: str = "",
    versioning: Versioning = Versioning.UNSPECIFIED,
) -> None:
    """Carry out the commands of the turn in hand. If one of them can't be, the turn fails, and none of them happens."""
    run = commit.run
    problem = command_checks.problem(commit, asked)
    if problem is not None:
        cause, failure = problem
        workflow_task.record_failure(commit, task, cause, failure, identity, build_id)
        return
    cancels = False
    if (
        not task.scheduled_event_id
        and task.attempt == 1
        and not state
        and all(c.__class__ is RejectUpdate for c in asked)
    ):
        for command in asked:
            assert isinstance(command, RejectUpdate)
            update.reject(commit, command)
        update.reject_ignored(commit)
        commit.record(e.WorkflowTaskDropped(0, commit.now))
    else:
        if task.started_event_id >= run.next_event_id:
            for event in workflow_task.transient_events(run, task, workflow_task.suggests_continue_as_new(commit)):
                commit.record(event)
        completed_id = run.next_event_id
        pinned = run.pinned_build_id
        if run.build_id != build_id:
            commit.is_visible = True
        commit.record(
            e.WorkflowTaskCompleted(
                completed_id,
                commit.now,
                task.scheduled_event_id,
                task.started_event_id,
                identity,
                build_id,
                sdk_metadata,
                sticky_queue,
                state,
                deployment,
                versioning,
            )
        )
        if run.pinned_build_id != pinned:
            commit.is_visible = commit.is_found_by_other_values = True
        for command in asked:
            commands.carry_out(commit, command, completed_id)
            cancels = cancels or command.__class__ is RequestCancelActivityTask
        if run.updates and run.close is None:
            update.reject_ignored(commit)
    if run.close is None:
        is_news = cancels and activity.end_cancelled(commit, asked)
        if is_news or run.buffered or run.updates:
            workflow_task.flush(commit, is_news=is_news)
