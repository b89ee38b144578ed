"""The names that ``perdure`` offers: the one list of them. ``perdure`` itself loads it when one is asked for."""

import perdure.app.languages  # noqa: F401  # says which languages there are
from perdure.app import DEFAULT_SERVER, DEFAULT_STORE, Worker, backup, connect, execute, open
from perdure.engine.settings import Settings
from perdure.model.errors import (
    ActivityError,
    AlreadyExistsError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    DeadlockError,
    FailureError,
    InvalidArgumentError,
    InvariantError,
    LimitExceededError,
    NonDeterminismError,
    NotAllowedInWorkflowError,
    NotFoundError,
    OperationError,
    PerdureError,
    PermissionDeniedError,
    QueryFailedError,
    RunClosedError,
    ServerError,
    StoreConflictError,
    StoreCorruptError,
    StoreError,
    StoreLockedError,
    StoreVersionError,
    TerminatedError,
    TimeoutError,
    UnauthenticatedError,
    UnavailableError,
    UpdateFailedError,
    WorkflowFailedError,
)
from perdure.model.explanation import Wait, WaitKind
from perdure.model.limits import Limits
from perdure.model.namespaces import Namespace, NamespaceDescription, Quota
from perdure.model.options import RunStatus
from perdure.observability.tracing import Tracing
from perdure.sdk import activity, workflow
from perdure.sdk.affinity import Affinity
from perdure.sdk.app import App
from perdure.sdk.batches import BatchDescription, Batches, BatchHandle
from perdure.sdk.breaker import Breaker
from perdure.sdk.client import Client
from perdure.sdk.codec import Codec
from perdure.sdk.converter import Converter
from perdure.sdk.encryption import EncryptionCodec
from perdure.sdk.explanations import RunExplanation
from perdure.sdk.handles import Run
from perdure.sdk.pending import PendingActivities
from perdure.sdk.references import Message, message
from perdure.sdk.replay import History, replay
from perdure.sdk.retry import Retry
from perdure.sdk.schedules import (
    Calendar,
    Every,
    ScheduleDescription,
    ScheduledRun,
    ScheduleHandle,
    ScheduleInfo,
    ScheduleOptions,
    Schedules,
)
from perdure.sdk.starting import StartOptions
from perdure.sdk.starting_activities import StartActivityOptions
from perdure.sdk.starting_operations import StartOperationOptions
from perdure.sdk.updates import UpdateHandle

__all__ = [
    "DEFAULT_SERVER",
    "DEFAULT_STORE",
    "ActivityError",
    "Affinity",
    "AlreadyExistsError",
    "App",
    "ApplicationError",
    "BatchDescription",
    "BatchHandle",
    "Batches",
    "Breaker",
    "Calendar",
    "CancelledError",
    "ChildWorkflowError",
    "Client",
    "Codec",
    "Converter",
    "DeadlockError",
    "EncryptionCodec",
    "Every",
    "FailureError",
    "History",
    "InvalidArgumentError",
    "InvariantError",
    "LimitExceededError",
    "Limits",
    "Message",
    "Namespace",
    "NamespaceDescription",
    "NonDeterminismError",
    "NotAllowedInWorkflowError",
    "NotFoundError",
    "OperationError",
    "PendingActivities",
    "PerdureError",
    "PermissionDeniedError",
    "QueryFailedError",
    "Quota",
    "Retry",
    "Run",
    "RunClosedError",
    "RunExplanation",
    "RunStatus",
    "ScheduleDescription",
    "ScheduleHandle",
    "ScheduleInfo",
    "ScheduleOptions",
    "ScheduledRun",
    "Schedules",
    "ServerError",
    "Settings",
    "StartActivityOptions",
    "StartOperationOptions",
    "StartOptions",
    "StoreConflictError",
    "StoreCorruptError",
    "StoreError",
    "StoreLockedError",
    "StoreVersionError",
    "TerminatedError",
    "TimeoutError",
    "Tracing",
    "UnauthenticatedError",
    "UnavailableError",
    "UpdateFailedError",
    "UpdateHandle",
    "Wait",
    "WaitKind",
    "Worker",
    "WorkflowFailedError",
    "activity",
    "backup",
    "connect",
    "execute",
    "message",
    "open",
    "replay",
    "workflow",
]
