"""Whether a program's commands can be carried out.

All commands of a turn are checked before the first one happens, so a turn with a bad command changes nothing but its
own failure.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import msgspec

from perdure.kernel import search_attribute, timer
from perdure.kernel.commit import Commit
from perdure.kernel.run import Run
from perdure.kernel.workflow_task import UNHANDLED_COMMAND
from perdure.model import commands as c
from perdure.model import cron
from perdure.model.affinity import affinity_problem
from perdure.model.failures import BAD_COMMAND, Failure
from perdure.model.limits import Limits
from perdure.model.payloads import PayloadMap
from perdure.model.search import AttributeTypes
from perdure.model.task_queues import LOWEST_PRIORITY

BAD_SEARCH_ATTRIBUTES = "BAD_SEARCH_ATTRIBUTES"

Problem = tuple[str, Failure]
"""The cause, a name of Temporal's ``WorkflowTaskFailedCause`` without its prefix, and what to tell people."""

CLOSING = (
    c.CompleteWorkflowExecution,
    c.FailWorkflowExecution,
    c.CancelWorkflowExecution,
    c.ContinueAsNewWorkflowExecution,
    c.TimeOutWorkflowExecution,
)


def problem(commit: Commit, commands: Sequence[c.AnyCommand]) -> Problem | None:
    """The first reason, if any, why these commands can't be carried out in this order."""
    if not commands:
        return None
    run = commit.run
    check = _Check(run, commit.limits, len(run.buffered), len(run.timers), commit.attribute_types)
    for command in commands:
        found = check.after_closing(command) if check.closing else None
        method = CHECKS.get(command.__class__)
        if found is None and method is not None:
            found = method(check, command)
        if found is not None:
            cause, message = found
            return cause, Failure(message, type=BAD_COMMAND, source="perdure")
    return None


class _Check(msgspec.Struct, gc=False):
    """The names in use as they will be after the commands seen so far, and how many of them."""

    run: Run
    limits: Limits
    buffered: int
    timers: int
    attribute_types: AttributeTypes | None
    activity_ids: set[str] = set()
    timer_ids: dict[str, bool] = {}
    accepted: set[str] = set()
    settled: set[str] = set()
    children: int = 0
    signals: int = 0
    operations: int = 0
    cancelled_operations: set[int] = set()
    closing: str = ""
    attributes: set[str] | None = None

    def after_closing(self, command: c.AnyCommand) -> tuple[str, str]:
        return UNHANDLED_COMMAND, f"{command.__class__.__name__} comes after {self.closing}, which ends the run."

    def schedule_activity(self, command: c.ScheduleActivityTask) -> tuple[str, str] | None:
        name, limits = command.activity_id, self.limits
        if name in self.activity_ids or name in self.run.activity_ids:
            return "SCHEDULE_ACTIVITY_DUPLICATE_ID", f"An activity with id {name!r} is already pending."
        if not name or not command.activity_type:
            return "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES", "An activity needs an id and a type."
        if len(name) > limits.id_length or len(command.activity_type) > limits.id_length:
            return (
                "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES",
                f"An activity's id or type is longer than {limits.id_length} characters.",
            )
        if (
            command.priority is not None
            or command.breaker is not None
            or command.limit_key
            or command.affinity is not None
        ) and (wrong := _wrong_placement(command, limits)):
            return "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES", wrong
        self.activity_ids.add(name)
        if limits.pending_activities and len(self.run.activities) + len(self.activity_ids) > limits.pending_activities:
            return "PENDING_ACTIVITIES_LIMIT_EXCEEDED", (
                f"The run would have more than {limits.pending_activities} pending activities (limit pending_activities). "
                "Run fewer at once, for example with workflow.map(..., concurrency=...)."
            )
        return None

    def request_cancel_activity(self, command: c.RequestCancelActivityTask) -> tuple[str, str] | None:
        ref = command.scheduled_event_id
        # It may have ended while the turn was taken, which the program can't know.
        if ref in self.run.activities or any(
            getattr(event, "scheduled_event_id", 0) == ref for event in self.run.buffered
        ):
            return None
        return "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES", f"No activity is pending under event {ref}."

    def start_timer(self, command: c.StartTimer) -> tuple[str, str] | None:
        name = command.timer_id
        if self._timer_pending(name):
            return "START_TIMER_DUPLICATE_ID", f"A timer with id {name!r} is already pending."
        if not name or command.start_to_fire_timeout_ns < 0:
            return "BAD_START_TIMER_ATTRIBUTES", "A timer needs an id, and no time below zero."
        self.timer_ids[name] = True
        self.timers += 1
        limit = self.limits.pending_timers
        if limit and self.timers > limit:
            return (
                "BAD_START_TIMER_ATTRIBUTES",
                f"The run would have more than {limit} pending timers (limit pending_timers).",
            )
        return None

    def cancel_timer(self, command: c.CancelTimer) -> tuple[str, str] | None:
        name = command.timer_id
        if not self._timer_pending(name):
            # It may have fired while the turn was taken. Then the program never hears of that.
            if name in self.timer_ids or timer.fired_meanwhile(self.run, name) is None:
                return "BAD_CANCEL_TIMER_ATTRIBUTES", f"No timer is pending with id {name!r}."
            self.buffered -= 1
        else:
            self.timers -= 1
        self.timer_ids[name] = False
        return None

    def _timer_pending(self, name: str) -> bool:
        return self.timer_ids.get(name, name in self.run.timers)

    def start_child(self, command: c.StartChildWorkflowExecution) -> tuple[str, str] | None:
        if not command.workflow_id or not command.workflow_type:
            return "BAD_START_CHILD_EXECUTION_ATTRIBUTES", "A child workflow needs an id and a type."
        # A detached start is judged like a client's, where it comes in.
        if len(command.workflow_id) > self.limits.id_length and command.detached is None:
            return (
                "BAD_START_CHILD_EXECUTION_ATTRIBUTES",
                f"A workflow id is longer than {self.limits.id_length} characters.",
            )
        if command.affinity is not None and (found := affinity_problem(command.affinity, self.limits.id_length)):
            return "BAD_START_CHILD_EXECUTION_ATTRIBUTES", f"{found}."
        if command.cron_schedule and (found := cron.problem(command.cron_schedule)):
            return "BAD_START_CHILD_EXECUTION_ATTRIBUTES", found
        above, deepest = self.run.started.parent, self.limits.child_depth
        if deepest and above is not None and above.depth >= deepest:
            return (
                "BAD_START_CHILD_EXECUTION_ATTRIBUTES",
                f"The run is a child of a child and so on, {deepest} deep (limit child_depth), and would start one more. "
                "Is it a workflow that starts itself without an end?",
            )
        self.children += 1
        limit = self.limits.pending_children
        if limit and len(self.run.children) + self.children > limit:
            return "PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED", (
                f"The run would have more than {limit} pending children (limit pending_children)."
            )
        if command.search_attributes and command.namespace in ("", self.run.namespace):
            return self._search_attributes(command.search_attributes, set())
        return None

    def signal_external(self, command: c.SignalExternalWorkflowExecution) -> tuple[str, str] | None:
        if not command.workflow_execution.workflow_id or not command.signal_name:
            return "BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES", "A signal needs a workflow id and a name."
        self.signals += 1
        limit = self.limits.pending_signals
        if limit and len(self.run.external_signals) + self.signals > limit:
            return "PENDING_SIGNALS_LIMIT_EXCEEDED", (
                f"The run would have more than {limit} signals under way (limit pending_signals)."
            )
        return None

    def cancel_external(self, command: c.RequestCancelExternalWorkflowExecution) -> tuple[str, str] | None:
        if not command.workflow_execution.workflow_id:
            return "BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES", "A cancellation needs a workflow id."
        return None

    def schedule_operation(self, command: c.ScheduleNexusOperation) -> tuple[str, str] | None:
        if not (command.service and command.operation):
            return (
                "BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES",
                "An operation needs a service and a name.",
            )
        if max(len(command.service), len(command.operation)) > self.limits.id_length:
            return (
                "BAD_SCHEDULE_NEXUS_OPERATION_ATTRIBUTES",
                f"An operation's service or name is longer than {self.limits.id_length} characters.",
            )
        self.operations += 1
        limit = self.limits.pending_operations
        if limit and len(self.run.operations) + self.operations > limit:
            return "PENDING_NEXUS_OPERATIONS_LIMIT_EXCEEDED", (
                f"The run would have more than {limit} operations under way (limit pending_operations)."
            )
        return None

    def request_cancel_operation(self, command: c.RequestCancelNexusOperation) -> tuple[str, str] | None:
        ref = command.scheduled_event_id
        operation = self.run.operations.get(ref)
        if operation is None:
            # It may have ended while the turn was taken, which the program can't know.
            if any(getattr(event, "scheduled_event_id", 0) == ref for event in self.run.buffered):
                return None
            message = f"No operation is pending under event {ref}."
        elif operation.cancel is not None or ref in self.cancelled_operations:
            message = f"Operation {ref} was asked to stop already."
        else:
            self.cancelled_operations.add(ref)
            return None
        return "BAD_REQUEST_CANCEL_NEXUS_OPERATION_ATTRIBUTES", message

    def accept_update(self, command: c.AcceptUpdate) -> tuple[str, str] | None:
        known = self.run.updates.get(command.update_id)
        if known is None or known.admitted is None or command.update_id in self.accepted | self.settled:
            return "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE", f"Update {command.update_id!r} does not wait for an answer."
        self.accepted.add(command.update_id)
        return None

    def reject_update(self, command: c.RejectUpdate) -> tuple[str, str] | None:
        refused = self.accept_update(c.AcceptUpdate(command.update_id))
        self.accepted.discard(command.update_id)
        self.settled.add(command.update_id)
        return refused

    def complete_update(self, command: c.CompleteUpdate) -> tuple[str, str] | None:
        known = self.run.updates.get(command.update_id)
        accepted = command.update_id in self.accepted or (known is not None and known.accepted_event_id > 0)
        if not accepted or command.update_id in self.settled or (known is not None and known.completed is not None):
            return "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE", f"Update {command.update_id!r} is not under way."
        self.settled.add(command.update_id)
        return None

    def upsert_search_attributes(self, command: c.UpsertWorkflowSearchAttributes) -> tuple[str, str] | None:
        if self.attributes is None:
            self.attributes = set(self.run.search_attributes)
        return self._search_attributes(command.search_attributes, self.attributes)

    def _search_attributes(self, attributes: PayloadMap, held: set[str]) -> tuple[str, str] | None:
        """``held`` are the names of those that the run has; the new ones join them."""
        types = self.attribute_types or {}
        held.update(attributes)
        refused = search_attribute.problem(attributes, types, self.limits, len(held))
        if refused:
            return BAD_SEARCH_ATTRIBUTES, refused
        self.attribute_types = search_attribute.merged(types, search_attribute.new_types(attributes, types))
        return None

    def continue_as_new(self, command: c.ContinueAsNewWorkflowExecution) -> tuple[str, str] | None:
        refused = self.close(command)
        if refused is None and command.search_attributes:
            return self._search_attributes(command.search_attributes, set())
        return refused

    def close(self, command: c.AnyCommand) -> tuple[str, str] | None:
        if self.buffered:
            return UNHANDLED_COMMAND, "Something new came while the turn was taken, so the run can't close yet."
        self.closing = command.__class__.__name__
        return None


def _wrong_placement(command: c.ScheduleActivityTask, limits: Limits) -> str:
    """What is wrong with how an activity is to be queued; empty if nothing is."""
    priority, breaker, longest = command.priority, command.breaker, limits.id_length
    if len(command.limit_key) > longest:
        return f"A limit key is longer than {longest} characters."
    if priority is not None:
        if not 0 <= priority.priority_key <= LOWEST_PRIORITY:
            return (
                f"The priority key {priority.priority_key} is not one of 1 to {LOWEST_PRIORITY}, or 0 for the default."
            )
        if not 0.0 <= priority.fairness_weight < inf:
            return f"The fairness weight {priority.fairness_weight} must be above zero, or 0 for the default."
        if len(priority.fairness_key) > longest:
            return f"A fairness key is longer than {longest} characters."
    if breaker is not None and (breaker.failures <= 0 or breaker.window_ns <= 0 or breaker.cool_down_ns <= 0):
        return "A breaker's failures, window and cool-down must be above zero."
    if command.affinity is not None and (found := affinity_problem(command.affinity, longest)):
        return f"{found}."
    return ""


CHECKS: dict[type, Callable[[_Check, Any], tuple[str, str] | None]] = {
    c.ScheduleActivityTask: _Check.schedule_activity,
    c.RequestCancelActivityTask: _Check.request_cancel_activity,
    c.StartTimer: _Check.start_timer,
    c.CancelTimer: _Check.cancel_timer,
    c.StartChildWorkflowExecution: _Check.start_child,
    c.SignalExternalWorkflowExecution: _Check.signal_external,
    c.RequestCancelExternalWorkflowExecution: _Check.cancel_external,
    c.AcceptUpdate: _Check.accept_update,
    c.RejectUpdate: _Check.reject_update,
    c.CompleteUpdate: _Check.complete_update,
    c.CompleteWorkflowExecution: _Check.close,
    c.FailWorkflowExecution: _Check.close,
    c.CancelWorkflowExecution: _Check.close,
    c.TimeOutWorkflowExecution: _Check.close,
    c.ContinueAsNewWorkflowExecution: _Check.continue_as_new,
    c.UpsertWorkflowSearchAttributes: _Check.upsert_search_attributes,
    c.ScheduleNexusOperation: _Check.schedule_operation,
    c.RequestCancelNexusOperation: _Check.request_cancel_operation,
}
