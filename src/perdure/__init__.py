"""Durable workflows in plain Python.

A program is written with ``App``, ``activity`` and ``workflow``, and run by ``open``: an engine, a worker and a client in
one process over one file. The way of one request through the engine::

        client, timer, another run
            |  Request (StartWorkflow, SignalWorkflow, CompleteActivity, FireTimer ...)
            v
     engine.submit      finds the run, in memory or in the store
            v
     kernel.transition(run, request, now) -> Commit | Rejection        pure: no clock, no chance, no I/O
            v                                 Commit = records + tasks + timers + messages + answers
     turns              a program of this process takes its turn at once; what it asks for joins the commit
            v
     store.write([... many runs' commits ...])   one transaction, expected version and epoch checked
            v
     effects            activities start, callers are answered, timers are armed, messages leave
            v
     worker             an activity's end is the next Request

Start reading at ``engine/engine.py``, ``kernel/transition.py`` and ``kernel/commit.py``.
"""

from perdure.app import DEFAULT_STORE, backup, open
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
    UpdateFailedError,
    WorkflowFailedError,
)
from perdure.model.limits import Limits
from perdure.model.options import RunStatus
from perdure.sdk import activity, workflow
from perdure.sdk.app import App
from perdure.sdk.breaker import Breaker
from perdure.sdk.client import Client
from perdure.sdk.codec import Codec
from perdure.sdk.converter import Converter
from perdure.sdk.handles import Run, UpdateHandle
from perdure.sdk.references import Message, message
from perdure.sdk.replay import History, replay
from perdure.sdk.retry import Retry
from perdure.sdk.starting import StartOptions

__all__ = [
    "DEFAULT_STORE",
    "ActivityError",
    "AlreadyExistsError",
    "App",
    "ApplicationError",
    "Breaker",
    "CancelledError",
    "ChildWorkflowError",
    "Client",
    "Codec",
    "Converter",
    "DeadlockError",
    "FailureError",
    "History",
    "InvalidArgumentError",
    "InvariantError",
    "LimitExceededError",
    "Limits",
    "Message",
    "NonDeterminismError",
    "NotAllowedInWorkflowError",
    "NotFoundError",
    "PerdureError",
    "PermissionDeniedError",
    "QueryFailedError",
    "Retry",
    "Run",
    "RunClosedError",
    "RunStatus",
    "ServerError",
    "Settings",
    "StartOptions",
    "StoreConflictError",
    "StoreCorruptError",
    "StoreError",
    "StoreLockedError",
    "StoreVersionError",
    "TerminatedError",
    "TimeoutError",
    "UpdateFailedError",
    "UpdateHandle",
    "WorkflowFailedError",
    "activity",
    "backup",
    "message",
    "open",
    "replay",
    "workflow",
]

__version__ = "0.1.0"
