"""All records there are: events, facts, and events that wait for their number."""

from typing import Union

from perdure.model.events import activity, child, external, note, operation, timer, update, workflow, workflow_task
from perdure.model.events.record import Record

Event = Union[
    workflow.WorkflowExecutionStarted,
    workflow.WorkflowExecutionCompleted,
    workflow.WorkflowExecutionFailed,
    workflow.WorkflowExecutionTimedOut,
    workflow.WorkflowExecutionContinuedAsNew,
    workflow.WorkflowExecutionCanceled,
    workflow.WorkflowExecutionTerminated,
    workflow.WorkflowExecutionCancelRequested,
    workflow.WorkflowExecutionSignaled,
    workflow.WorkflowExecutionPaused,
    workflow.WorkflowExecutionUnpaused,
    workflow.WorkflowExecutionOptionsUpdated,
    workflow_task.WorkflowTaskScheduled,
    workflow_task.WorkflowTaskStarted,
    workflow_task.WorkflowTaskCompleted,
    workflow_task.WorkflowTaskTimedOut,
    workflow_task.WorkflowTaskFailed,
    activity.ActivityTaskScheduled,
    activity.ActivityTaskStarted,
    activity.ActivityTaskCompleted,
    activity.ActivityTaskFailed,
    activity.ActivityTaskTimedOut,
    activity.ActivityTaskCancelRequested,
    activity.ActivityTaskCanceled,
    timer.TimerStarted,
    timer.TimerFired,
    timer.TimerCanceled,
    note.MarkerRecorded,
    note.UpsertWorkflowSearchAttributes,
    note.WorkflowPropertiesModified,
    child.StartChildWorkflowExecutionInitiated,
    child.StartChildWorkflowExecutionFailed,
    child.ChildWorkflowExecutionStarted,
    child.ChildWorkflowExecutionCompleted,
    child.ChildWorkflowExecutionFailed,
    child.ChildWorkflowExecutionCanceled,
    child.ChildWorkflowExecutionTimedOut,
    child.ChildWorkflowExecutionTerminated,
    external.SignalExternalWorkflowExecutionInitiated,
    external.SignalExternalWorkflowExecutionFailed,
    external.ExternalWorkflowExecutionSignaled,
    external.RequestCancelExternalWorkflowExecutionInitiated,
    external.RequestCancelExternalWorkflowExecutionFailed,
    external.ExternalWorkflowExecutionCancelRequested,
    update.WorkflowExecutionUpdateAccepted,
    update.WorkflowExecutionUpdateCompleted,
    operation.NexusOperationScheduled,
    operation.NexusOperationStarted,
    operation.NexusOperationCompleted,
    operation.NexusOperationFailed,
    operation.NexusOperationCanceled,
    operation.NexusOperationTimedOut,
    operation.NexusOperationCancelRequested,
    operation.NexusOperationCancelRequestCompleted,
    operation.NexusOperationCancelRequestFailed,
]


class EventBuffered(Record, frozen=True, array_like=True, gc=False, tag=112):
    """An event came while a worker had a turn in hand: it takes effect now and gets its number when the turn ends."""

    event: Event


class EventFlushed(Record, frozen=True, array_like=True, gc=False, tag=113):
    """A buffered event, now with its number. Its effect is already there."""

    event: Event


Fact = Union[
    activity.ActivityAttemptStarted,
    activity.ActivityAttemptFailed,
    activity.ActivityHeartbeatRecorded,
    workflow_task.WorkflowTaskAttemptStarted,
    workflow_task.WorkflowTaskAttemptFailed,
    workflow_task.WorkflowTaskRetryScheduled,
    workflow_task.WorkflowTaskDropped,
    workflow_task.StickyQueueDropped,
    update.UpdateAdmitted,
    update.UpdateRejected,
    workflow_task.WorkflowTaskRequested,
    workflow.FirstTaskReady,
    EventBuffered,
    EventFlushed,
    activity.ActivityPaused,
    activity.ActivityUnpaused,
    activity.ActivityReset,
    activity.ActivityOptionsUpdated,
    operation.OperationAttemptFailed,
    operation.OperationOffered,
]

AnyRecord = Event | Fact
