"""What can be asked of a run, by anyone: a client, a worker, a clock, another run.

Every request is safe to send twice: a start and a signal by ``request_id``, an update by ``update_id``, a worker's
answer by the attempt it belongs to, a message between runs by the event that caused it.

One module a story, as in ``model.events``; ``vocabulary`` says who may ask what.
"""

from perdure.model.requests.activity import (
    AboutActivities,
    CancelActivity,
    CompleteActivity,
    FailActivity,
    HeartbeatActivity,
    LoseActivity,
    PauseActivity,
    ResetActivity,
    StartActivity,
    UnpauseActivity,
    UpdateActivityOptions,
)
from perdure.model.requests.child import ChildClosed, ChildStarted, ChildStartFailed
from perdure.model.requests.external import ExternalCancelDelivered, ExternalSignalDelivered
from perdure.model.requests.message import SignalWorkflow, UpdateWorkflow
from perdure.model.requests.operation import (
    AcceptOperation,
    CompleteOperation,
    EndOperation,
    FailOperation,
    FailOperationAttempt,
    OfferOperation,
    OperationCancelDelivered,
    OperationClosed,
)
from perdure.model.requests.request import BaseRequest
from perdure.model.requests.timer import FireTimer
from perdure.model.requests.vocabulary import ClientRequest, OutsideRequest, Request, RunRequest, WorkerRequest
from perdure.model.requests.workflow import (
    AttachCallbacks,
    CancelWorkflow,
    ForkWorkflow,
    PauseWorkflow,
    ResumeWorkflow,
    StartWorkflow,
    TerminateWorkflow,
    UpdateWorkflowOptions,
    reserved_fields,
)
from perdure.model.requests.workflow_task import (
    CompleteWorkflowTask,
    FailWorkflowTask,
    StartWorkflowTask,
    UnstickWorkflow,
)

__all__ = [
    "AboutActivities",
    "AcceptOperation",
    "AttachCallbacks",
    "BaseRequest",
    "CancelActivity",
    "CancelWorkflow",
    "ChildClosed",
    "ChildStartFailed",
    "ChildStarted",
    "ClientRequest",
    "CompleteActivity",
    "CompleteOperation",
    "CompleteWorkflowTask",
    "EndOperation",
    "ExternalCancelDelivered",
    "ExternalSignalDelivered",
    "FailActivity",
    "FailOperation",
    "FailOperationAttempt",
    "FailWorkflowTask",
    "FireTimer",
    "ForkWorkflow",
    "HeartbeatActivity",
    "LoseActivity",
    "OfferOperation",
    "OperationCancelDelivered",
    "OperationClosed",
    "OutsideRequest",
    "PauseActivity",
    "PauseWorkflow",
    "Request",
    "ResetActivity",
    "ResumeWorkflow",
    "RunRequest",
    "SignalWorkflow",
    "StartActivity",
    "StartWorkflow",
    "StartWorkflowTask",
    "TerminateWorkflow",
    "UnpauseActivity",
    "UnstickWorkflow",
    "UpdateActivityOptions",
    "UpdateWorkflow",
    "UpdateWorkflowOptions",
    "WorkerRequest",
    "reserved_fields",
]
