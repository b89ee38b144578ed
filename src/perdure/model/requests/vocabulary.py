"""Who may ask what."""

from typing import Union

from perdure.model.requests import activity, child, external, message, operation, timer, workflow, workflow_task

ClientRequest = Union[
    workflow.StartWorkflow,
    message.SignalWorkflow,
    message.UpdateWorkflow,
    workflow.CancelWorkflow,
    workflow.TerminateWorkflow,
    workflow.PauseWorkflow,
    workflow.ResumeWorkflow,
    workflow.UpdateWorkflowOptions,
    activity.PauseActivity,
    activity.UnpauseActivity,
    activity.ResetActivity,
    activity.UpdateActivityOptions,
    workflow.ForkWorkflow,
    workflow.AttachCallbacks,
]

WorkerRequest = Union[
    workflow_task.StartWorkflowTask,
    workflow_task.CompleteWorkflowTask,
    workflow_task.FailWorkflowTask,
    workflow_task.UnstickWorkflow,
    activity.StartActivity,
    activity.CompleteActivity,
    activity.FailActivity,
    activity.CancelActivity,
    activity.HeartbeatActivity,
    activity.LoseActivity,
    operation.AcceptOperation,
    operation.CompleteOperation,
    operation.FailOperation,
    operation.FailOperationAttempt,
    operation.OperationCancelDelivered,
    operation.OfferOperation,
]

OutsideRequest = Union[
    message.SignalWorkflow,
    message.UpdateWorkflow,
    workflow.CancelWorkflow,
    workflow.TerminateWorkflow,
    workflow.PauseWorkflow,
    workflow.ResumeWorkflow,
    workflow.UpdateWorkflowOptions,
    activity.PauseActivity,
    activity.UnpauseActivity,
    activity.ResetActivity,
    activity.UpdateActivityOptions,
    activity.CompleteActivity,
    activity.FailActivity,
    activity.CancelActivity,
    activity.HeartbeatActivity,
]
"""What may be asked of a run by somebody outside the engine who knows its address."""

RunRequest = Union[
    child.ChildStarted,
    child.ChildStartFailed,
    child.ChildClosed,
    external.ExternalSignalDelivered,
    external.ExternalCancelDelivered,
    operation.OperationClosed,
    operation.EndOperation,
]

Request = Union[ClientRequest, WorkerRequest, timer.FireTimer, RunRequest]
