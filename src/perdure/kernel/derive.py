"""What must be stored beside a run's history, computed from its state alone.

Commits say what changes; this says what there must be. That the two agree is checked after every step of the
simulation, and for a whole store by ``perdure verify``.
"""

from perdure.kernel import lifecycle, operation, operation_offers
from perdure.kernel.commit import Task, task_of, turn_due
from perdure.kernel.run import WORKFLOW_TASK, WORKFLOW_TASK_REF, Run


def tasks(run: Run) -> dict[int, Task]:
    """The run's tasks by ref. A stored task's ``due`` may be earlier than here, because heartbeats do not rewrite
    it."""
    found = {ref: task_of(run.namespace, activity) for ref, activity in run.activities.items()}
    task = run.workflow_task
    if task is not None:
        started = run.started
        found[WORKFLOW_TASK_REF] = Task(
            WORKFLOW_TASK_REF, started.task_queue, started.workflow_type, task.started_time > 0, turn_due(run, task)
        )
    return found


def timers(run: Run) -> set[tuple[int, int]]:
    """The run's timers as ``(due, ref)``."""
    found = {(timer.due, timer.started_event_id) for timer in run.timers.values()}
    found.update(lifecycle.own_timers(run))
    found.update(operation.timers(run))
    task = run.workflow_task
    if task is not None and (due := turn_due(run, task)):
        found.add((due, WORKFLOW_TASK))
    return found


def messages(run: Run) -> set[int]:
    """Refs of the messages that must still be in the outbox because their answers have not come."""
    waiting = {ref for ref, child in run.children.items() if not child.run_id}
    waiting.update(message.ref for message in operation_offers.messages(run))
    return waiting | run.external_signals.keys() | run.external_cancels.keys()
