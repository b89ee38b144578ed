"""The kernel's tables are complete, and what is stored keeps its names, its numbers and its shape.

Histories and messages are kept for years. A record may get new fields, at the end and with a default; nothing else about
it may change. What is there is written down in ``stored_format.txt``; ``--rerecord`` adds to it, and refuses to change it.
"""

import types
import typing
from collections import Counter
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perdure.kernel.apply import APPLIERS
from perdure.kernel.command_checks import CHECKS
from perdure.kernel.commands import ACTIONS
from perdure.kernel.commit import Message
from perdure.kernel.transition import HANDLERS
from perdure.model import activity_options, affinity, failures, ids, options, payloads, task_queues
from perdure.model import commands as c
from perdure.model import events as e
from perdure.model import requests as r

EVENTS = typing.get_args(e.Event)
FACTS = typing.get_args(e.Fact)
RECORDS = typing.get_args(e.AnyRecord)
REQUESTS = typing.get_args(r.Request)
COMMANDS = typing.get_args(c.AnyCommand)

TEMPORAL_EVENT_TYPES = {
    "WorkflowExecutionStarted": 1,
    "WorkflowExecutionCompleted": 2,
    "WorkflowExecutionFailed": 3,
    "WorkflowExecutionTimedOut": 4,
    "WorkflowTaskScheduled": 5,
    "WorkflowTaskStarted": 6,
    "WorkflowTaskCompleted": 7,
    "WorkflowTaskTimedOut": 8,
    "WorkflowTaskFailed": 9,
    "ActivityTaskScheduled": 10,
    "ActivityTaskStarted": 11,
    "ActivityTaskCompleted": 12,
    "ActivityTaskFailed": 13,
    "ActivityTaskTimedOut": 14,
    "ActivityTaskCancelRequested": 15,
    "ActivityTaskCanceled": 16,
    "TimerStarted": 17,
    "TimerFired": 18,
    "TimerCanceled": 19,
    "WorkflowExecutionCancelRequested": 20,
    "WorkflowExecutionCanceled": 21,
    "RequestCancelExternalWorkflowExecutionInitiated": 22,
    "RequestCancelExternalWorkflowExecutionFailed": 23,
    "ExternalWorkflowExecutionCancelRequested": 24,
    "MarkerRecorded": 25,
    "WorkflowExecutionSignaled": 26,
    "WorkflowExecutionTerminated": 27,
    "WorkflowExecutionContinuedAsNew": 28,
    "StartChildWorkflowExecutionInitiated": 29,
    "StartChildWorkflowExecutionFailed": 30,
    "ChildWorkflowExecutionStarted": 31,
    "ChildWorkflowExecutionCompleted": 32,
    "ChildWorkflowExecutionFailed": 33,
    "ChildWorkflowExecutionCanceled": 34,
    "ChildWorkflowExecutionTimedOut": 35,
    "ChildWorkflowExecutionTerminated": 36,
    "SignalExternalWorkflowExecutionInitiated": 37,
    "SignalExternalWorkflowExecutionFailed": 38,
    "ExternalWorkflowExecutionSignaled": 39,
    "UpsertWorkflowSearchAttributes": 40,
    "WorkflowExecutionUpdateAccepted": 41,
    "WorkflowExecutionUpdateCompleted": 43,
    "WorkflowPropertiesModified": 46,
    "WorkflowExecutionPaused": 58,
    "WorkflowExecutionUnpaused": 59,
    "NexusOperationScheduled": 48,
    "NexusOperationStarted": 49,
    "NexusOperationCompleted": 50,
    "NexusOperationFailed": 51,
    "NexusOperationCanceled": 52,
    "NexusOperationTimedOut": 53,
    "NexusOperationCancelRequested": 54,
    "WorkflowExecutionOptionsUpdated": 55,
    "NexusOperationCancelRequestCompleted": 56,
    "NexusOperationCancelRequestFailed": 57,
}
"""``temporal/api/enums/v1/event_type.proto``. 42 is a rejected update and 47 an admitted one, which are facts here; 44 and 45
are changes of properties from outside."""

FACT_NUMBERS = {
    "ActivityAttemptStarted": 101,
    "ActivityAttemptFailed": 102,
    "ActivityHeartbeatRecorded": 103,
    "WorkflowTaskAttemptStarted": 104,
    "WorkflowTaskAttemptFailed": 105,
    "WorkflowTaskRetryScheduled": 106,
    "WorkflowTaskDropped": 107,
    "UpdateAdmitted": 108,
    "UpdateRejected": 109,
    "FirstTaskReady": 110,
    "WorkflowTaskRequested": 111,
    "EventBuffered": 112,
    "EventFlushed": 113,
    "ActivityPaused": 114,
    "ActivityUnpaused": 115,
    "ActivityReset": 116,
    "ActivityOptionsUpdated": 117,
    "OperationAttemptFailed": 118,
    "OperationOffered": 119,
    "StickyQueueDropped": 121,
}

REQUEST_NUMBERS = {
    "StartWorkflow": 1,
    "SignalWorkflow": 2,
    "UpdateWorkflow": 3,
    "CancelWorkflow": 4,
    "TerminateWorkflow": 5,
    "PauseWorkflow": 6,
    "ResumeWorkflow": 7,
    "ForkWorkflow": 8,
    "UpdateWorkflowOptions": 9,
    "PauseActivity": 10,
    "UnpauseActivity": 11,
    "ResetActivity": 12,
    "UpdateActivityOptions": 13,
    "AttachCallbacks": 14,
    "StartWorkflowTask": 20,
    "CompleteWorkflowTask": 21,
    "FailWorkflowTask": 22,
    "StartActivity": 23,
    "CompleteActivity": 24,
    "FailActivity": 25,
    "CancelActivity": 26,
    "HeartbeatActivity": 27,
    "LoseActivity": 28,
    "AcceptOperation": 29,
    "CompleteOperation": 30,
    "FailOperation": 31,
    "FailOperationAttempt": 32,
    "OperationCancelDelivered": 33,
    "OfferOperation": 34,
    "UnstickWorkflow": 35,
    "FireTimer": 40,
    "ChildStarted": 60,
    "ChildStartFailed": 61,
    "ChildClosed": 62,
    "ExternalSignalDelivered": 63,
    "ExternalCancelDelivered": 64,
    "OperationClosed": 65,
    "EndOperation": 66,
}

ENUM_NUMBERS: dict[type[IntEnum], dict[str, int]] = {
    failures.TimeoutType: {
        "UNSPECIFIED": 0,
        "START_TO_CLOSE": 1,
        "SCHEDULE_TO_START": 2,
        "SCHEDULE_TO_CLOSE": 3,
        "HEARTBEAT": 4,
    },
    failures.RetryState: {
        "UNSPECIFIED": 0,
        "IN_PROGRESS": 1,
        "NON_RETRYABLE_FAILURE": 2,
        "TIMEOUT": 3,
        "MAXIMUM_ATTEMPTS_REACHED": 4,
        "RETRY_POLICY_NOT_SET": 5,
        "INTERNAL_SERVER_ERROR": 6,
        "CANCEL_REQUESTED": 7,
    },
    failures.FailureKind: {
        "APPLICATION": 0,
        "TIMEOUT": 1,
        "CANCELED": 2,
        "TERMINATED": 3,
        "SERVER": 4,
        "ACTIVITY": 5,
        "CHILD_WORKFLOW": 6,
        "OPERATION": 7,
        "HANDLER": 8,
    },
    failures.RetryBehavior: {"UNSPECIFIED": 0, "RETRYABLE": 1, "NON_RETRYABLE": 2},
    options.RunStatus: {
        "RUNNING": 1,
        "COMPLETED": 2,
        "FAILED": 3,
        "CANCELED": 4,
        "TERMINATED": 5,
        "CONTINUED_AS_NEW": 6,
        "TIMED_OUT": 7,
        "PAUSED": 8,
    },
    options.IdReuse: {"ALLOW": 1, "ALLOW_IF_FAILED": 2, "REJECT": 3},
    options.IdConflict: {"FAIL": 1, "USE": 2, "TERMINATE": 3},
    options.ParentClose: {"TERMINATE": 1, "ABANDON": 2, "CANCEL": 3},
    options.Versioning: {"UNSPECIFIED": 0, "PINNED": 1, "AUTO_UPGRADE": 2},
    options.Initiator: {"UNSPECIFIED": 0, "WORKFLOW": 1, "RETRY": 2, "CRON_SCHEDULE": 3},
}
"""Enums that are stored as numbers. All but ``FailureKind``, which Temporal's failures have no number for, are Temporal's."""


# --- the tables


def test_every_record_has_an_applier() -> None:
    assert set(APPLIERS) == set(RECORDS)


def test_every_request_has_a_handler() -> None:
    # These two begin a run rather than changing one: ``start`` and ``start_fork`` decide them.
    assert set(HANDLERS) | {r.StartWorkflow, r.ForkWorkflow} == set(REQUESTS)


def test_every_command_has_an_action() -> None:
    assert set(ACTIONS) == set(COMMANDS)


def test_every_command_that_can_be_wrong_has_a_check() -> None:
    notes = {c.RecordMarker, c.ModifyWorkflowProperties}
    assert set(CHECKS) == set(COMMANDS) - notes


# --- numbers


@pytest.mark.parametrize(("name", "number"), TEMPORAL_EVENT_TYPES.items())
def test_events_have_temporals_numbers(name: str, number: int) -> None:
    assert getattr(e, name).__struct_config__.tag == number


def test_events_have_temporals_names() -> None:
    assert sorted(event.__name__ for event in EVENTS) == sorted(TEMPORAL_EVENT_TYPES)


def test_facts_keep_their_numbers() -> None:
    assert {fact.__name__: fact.__struct_config__.tag for fact in FACTS} == FACT_NUMBERS


def test_requests_keep_their_numbers() -> None:
    # Messages between runs are requests, and wait in the store.
    assert {request.__name__: request.__struct_config__.tag for request in REQUESTS} == REQUEST_NUMBERS


@pytest.mark.parametrize("union", [RECORDS, REQUESTS, COMMANDS], ids=["records", "requests", "commands"])
def test_numbers_are_unique(union: tuple[type, ...]) -> None:
    tags = Counter(kind.__struct_config__.tag for kind in union)  # type: ignore[attr-defined]
    assert [tag for tag, count in tags.items() if count > 1] == []


@pytest.mark.parametrize("enum", ENUM_NUMBERS, ids=lambda enum: enum.__name__)
def test_enums_keep_their_numbers(enum: type[IntEnum]) -> None:
    assert {member.name: member.value for member in enum} == ENUM_NUMBERS[enum]


# --- shapes

STORED_FORMAT = Path(__file__).with_name("stored_format.txt")

STORED = (
    *RECORDS,
    failures.Failure,
    failures.FailedOperation,
    payloads.Payload,
    payloads.UserMetadata,
    options.RetryPolicy,
    activity_options.ActivityOptions,
    affinity.Affinity,
    task_queues.Priority,
    task_queues.BreakerPolicy,
    task_queues.Placement,
    ids.RunAddress,
    ids.ParentLink,
    ids.CompletionCallback,
    ids.DetachedStart,
    Message,
    r.StartWorkflow,
    r.SignalWorkflow,
    r.UpdateWorkflow,
    r.CancelWorkflow,
    r.TerminateWorkflow,
    r.ChildClosed,
)
"""Everything that is stored as an array, so that the order of its fields counts."""


def test_everything_stored_is_an_array_of_known_things() -> None:
    """No struct inside a stored one has been forgotten above."""
    inside: set[type] = set()
    for struct in STORED:
        assert struct.__struct_config__.array_like, f"{struct.__name__} is not stored as an array"
        for hint in typing.get_type_hints(struct).values():
            inside |= {kind for kind in _leaves(hint) if isinstance(kind, type)}
    structs = {kind for kind in inside if issubclass(kind, msgspec.Struct)} - set(REQUESTS)
    enums = {kind for kind in inside if issubclass(kind, IntEnum)}
    assert structs <= set(STORED)
    assert enums <= set(ENUM_NUMBERS)


def test_stored_format(rerecord: bool) -> None:
    """What is stored has the fields that are written down. New ones are added with ``--rerecord``; nothing else may change."""
    now = {struct.__name__: _fields(struct) for struct in STORED}
    if STORED_FORMAT.exists():
        for name, before in _read(STORED_FORMAT.read_text()).items():
            assert name in now, f"{name} is stored in old histories, and is gone"
            assert now[name][: len(before)] == before, f"{name}: what is stored already can't be read with these fields"
            for field in now[name][len(before) :]:
                assert " = " in field, (
                    f"{name}: the new field {field!r} needs a default, or old histories can't be read"
                )
    text = "".join(f"{name}\n" + "".join(f"    {field}\n" for field in fields) + "\n" for name, fields in now.items())
    if rerecord:
        STORED_FORMAT.write_text(text)
    assert STORED_FORMAT.read_text() == text, "something new is stored; write it down with --rerecord"


def _read(text: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for block in text.strip().split("\n\n"):
        name, *fields = block.splitlines()
        names[name] = [field.strip() for field in fields]
    return names


def _fields(struct: Any) -> list[str]:
    hints = typing.get_type_hints(struct)
    lines = []
    for field in msgspec.structs.fields(struct):
        default = field.default if field.default is not msgspec.NODEFAULT else None
        has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        lines.append(f"{field.name}: {_hint(hints[field.name])}" + (f" = {_default(default)}" if has_default else ""))
    return lines


def _hint(hint: Any) -> str:
    """A type as it is stored: an alias by what it stands for, an enum by its name, a union of records as such."""
    if hint == e.AnyRecord:
        return "AnyRecord"
    if hint == e.Event:
        return "Event"
    if hint == r.Request:
        return "Request"
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_hint, arguments))
    if origin is not None:
        return (
            f"{origin.__name__}[{', '.join('...' if argument is ... else _hint(argument) for argument in arguments)}]"
        )
    return "None" if hint is type(None) else str(hint.__name__)


def _default(value: Any) -> str:
    return value.name if isinstance(value, IntEnum) else repr(value)


def _leaves(hint: Any) -> set[Any]:
    arguments = typing.get_args(hint)
    return {leaf for argument in arguments for leaf in _leaves(argument)} if arguments else {hint}
