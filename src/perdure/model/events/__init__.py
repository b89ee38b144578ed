"""Everything that can happen to a run, in Temporal's words.

Two kinds of record make up a history, and both change a run only through ``kernel.apply``:

- *Events* are Temporal's ``HistoryEvent``: numbered from 1 without gaps, shown to people and programs, with its
  names, its attributes and its type numbers (``temporal/api/history/v1/message.proto``). Attributes that the engine
  does not use yet are left out; new ones are only ever added at the end, with a default, so that every old history
  stays readable.
- *Facts* are what Temporal keeps in its mutable state and never shows: attempts, heartbeats, buffering. They carry no
  number. Recording them too is what makes "folding a history gives the state" true without exception.

Records are stored as MessagePack arrays that begin with the type's number (facts begin at 101), so a number is never
used again. ``time`` is in nanoseconds since 1970; ``..._ns`` attributes are durations, 0 meaning "no limit" unless
said otherwise.

One module a story, and a record of the whole vocabulary in ``vocabulary``. Each record's docstring is its row in
``docs/events.md``.
"""

from perdure.model.events.activity import (
    ActivityAttemptFailed,
    ActivityAttemptStarted,
    ActivityHeartbeatRecorded,
    ActivityOptionsUpdated,
    ActivityPaused,
    ActivityReset,
    ActivityTaskCanceled,
    ActivityTaskCancelRequested,
    ActivityTaskCompleted,
    ActivityTaskFailed,
    ActivityTaskScheduled,
    ActivityTaskStarted,
    ActivityTaskTimedOut,
    ActivityUnpaused,
)
from perdure.model.events.child import (
    ChildWorkflowExecutionCanceled,
    ChildWorkflowExecutionCompleted,
    ChildWorkflowExecutionFailed,
    ChildWorkflowExecutionStarted,
    ChildWorkflowExecutionTerminated,
    ChildWorkflowExecutionTimedOut,
    StartChildWorkflowExecutionFailed,
    StartChildWorkflowExecutionInitiated,
)
from perdure.model.events.external import (
    ExternalWorkflowExecutionCancelRequested,
    ExternalWorkflowExecutionSignaled,
    RequestCancelExternalWorkflowExecutionFailed,
    RequestCancelExternalWorkflowExecutionInitiated,
    SignalExternalWorkflowExecutionFailed,
    SignalExternalWorkflowExecutionInitiated,
)
from perdure.model.events.note import MarkerRecorded, UpsertWorkflowSearchAttributes, WorkflowPropertiesModified
from perdure.model.events.operation import (
    NexusOperationCanceled,
    NexusOperationCancelRequestCompleted,
    NexusOperationCancelRequested,
    NexusOperationCancelRequestFailed,
    NexusOperationCompleted,
    NexusOperationFailed,
    NexusOperationScheduled,
    NexusOperationStarted,
    NexusOperationTimedOut,
    OperationAttemptFailed,
    OperationOffered,
)
from perdure.model.events.record import Record
from perdure.model.events.timer import TimerCanceled, TimerFired, TimerStarted
from perdure.model.events.update import (
    UpdateAdmitted,
    UpdateRejected,
    WorkflowExecutionUpdateAccepted,
    WorkflowExecutionUpdateCompleted,
)
from perdure.model.events.vocabulary import AnyRecord, Event, EventBuffered, EventFlushed, Fact
from perdure.model.events.workflow import (
    FirstTaskReady,
    WorkflowExecutionCanceled,
    WorkflowExecutionCancelRequested,
    WorkflowExecutionCompleted,
    WorkflowExecutionContinuedAsNew,
    WorkflowExecutionFailed,
    WorkflowExecutionOptionsUpdated,
    WorkflowExecutionPaused,
    WorkflowExecutionSignaled,
    WorkflowExecutionStarted,
    WorkflowExecutionTerminated,
    WorkflowExecutionTimedOut,
    WorkflowExecutionUnpaused,
)
from perdure.model.events.workflow_task import (
    StickyQueueDropped,
    WorkflowTaskAttemptFailed,
    WorkflowTaskAttemptStarted,
    WorkflowTaskCompleted,
    WorkflowTaskDropped,
    WorkflowTaskFailed,
    WorkflowTaskRequested,
    WorkflowTaskRetryScheduled,
    WorkflowTaskScheduled,
    WorkflowTaskStarted,
    WorkflowTaskTimedOut,
)

__all__ = [
    "ActivityAttemptFailed",
    "ActivityAttemptStarted",
    "ActivityHeartbeatRecorded",
    "ActivityOptionsUpdated",
    "ActivityPaused",
    "ActivityReset",
    "ActivityTaskCancelRequested",
    "ActivityTaskCanceled",
    "ActivityTaskCompleted",
    "ActivityTaskFailed",
    "ActivityTaskScheduled",
    "ActivityTaskStarted",
    "ActivityTaskTimedOut",
    "ActivityUnpaused",
    "AnyRecord",
    "ChildWorkflowExecutionCanceled",
    "ChildWorkflowExecutionCompleted",
    "ChildWorkflowExecutionFailed",
    "ChildWorkflowExecutionStarted",
    "ChildWorkflowExecutionTerminated",
    "ChildWorkflowExecutionTimedOut",
    "Event",
    "EventBuffered",
    "EventFlushed",
    "ExternalWorkflowExecutionCancelRequested",
    "ExternalWorkflowExecutionSignaled",
    "Fact",
    "FirstTaskReady",
    "MarkerRecorded",
    "NexusOperationCancelRequestCompleted",
    "NexusOperationCancelRequestFailed",
    "NexusOperationCancelRequested",
    "NexusOperationCanceled",
    "NexusOperationCompleted",
    "NexusOperationFailed",
    "NexusOperationScheduled",
    "NexusOperationStarted",
    "NexusOperationTimedOut",
    "OperationAttemptFailed",
    "OperationOffered",
    "Record",
    "RequestCancelExternalWorkflowExecutionFailed",
    "RequestCancelExternalWorkflowExecutionInitiated",
    "SignalExternalWorkflowExecutionFailed",
    "SignalExternalWorkflowExecutionInitiated",
    "StartChildWorkflowExecutionFailed",
    "StartChildWorkflowExecutionInitiated",
    "StickyQueueDropped",
    "TimerCanceled",
    "TimerFired",
    "TimerStarted",
    "UpdateAdmitted",
    "UpdateRejected",
    "UpsertWorkflowSearchAttributes",
    "WorkflowExecutionCancelRequested",
    "WorkflowExecutionCanceled",
    "WorkflowExecutionCompleted",
    "WorkflowExecutionContinuedAsNew",
    "WorkflowExecutionFailed",
    "WorkflowExecutionOptionsUpdated",
    "WorkflowExecutionPaused",
    "WorkflowExecutionSignaled",
    "WorkflowExecutionStarted",
    "WorkflowExecutionTerminated",
    "WorkflowExecutionTimedOut",
    "WorkflowExecutionUnpaused",
    "WorkflowExecutionUpdateAccepted",
    "WorkflowExecutionUpdateCompleted",
    "WorkflowPropertiesModified",
    "WorkflowTaskAttemptFailed",
    "WorkflowTaskAttemptStarted",
    "WorkflowTaskCompleted",
    "WorkflowTaskDropped",
    "WorkflowTaskFailed",
    "WorkflowTaskRequested",
    "WorkflowTaskRetryScheduled",
    "WorkflowTaskScheduled",
    "WorkflowTaskStarted",
    "WorkflowTaskTimedOut",
]
