from collections.abc import Iterable as _Iterable
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar

from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from google.protobuf.internal import containers as _containers

DESCRIPTOR: _descriptor.FileDescriptor

class Payload(_message.Message):
    __slots__ = ("data", "encoding", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: str | None = ..., value: bytes | None = ...) -> None: ...

    DATA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    encoding: str
    metadata: _containers.ScalarMap[str, bytes]
    def __init__(
        self,
        data: bytes | None = ...,
        encoding: str | None = ...,
        metadata: _Mapping[str, bytes] | None = ...,
    ) -> None: ...

class Failure(_message.Message):
    __slots__ = (
        "activity_id",
        "activity_type",
        "cause",
        "details",
        "identity",
        "kind",
        "message",
        "next_retry_delay",
        "non_retryable",
        "retry_state",
        "run_id",
        "scheduled_event_id",
        "source",
        "stack_trace",
        "started_event_id",
        "timeout_type",
        "type",
        "workflow_id",
        "workflow_type",
    )
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    NON_RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    STACK_TRACE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    NEXT_RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_TYPE_FIELD_NUMBER: _ClassVar[int]
    RETRY_STATE_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    message: str
    kind: int
    type: str
    non_retryable: bool
    details: _containers.RepeatedCompositeFieldContainer[Payload]
    cause: Failure
    stack_trace: str
    source: str
    next_retry_delay: int
    timeout_type: int
    retry_state: int
    activity_id: str
    activity_type: str
    workflow_id: str
    run_id: str
    workflow_type: str
    scheduled_event_id: int
    started_event_id: int
    identity: str
    def __init__(
        self,
        message: str | None = ...,
        kind: int | None = ...,
        type: str | None = ...,
        non_retryable: bool = ...,
        details: _Iterable[Payload | _Mapping] | None = ...,
        cause: Failure | _Mapping | None = ...,
        stack_trace: str | None = ...,
        source: str | None = ...,
        next_retry_delay: int | None = ...,
        timeout_type: int | None = ...,
        retry_state: int | None = ...,
        activity_id: str | None = ...,
        activity_type: str | None = ...,
        workflow_id: str | None = ...,
        run_id: str | None = ...,
        workflow_type: str | None = ...,
        scheduled_event_id: int | None = ...,
        started_event_id: int | None = ...,
        identity: str | None = ...,
    ) -> None: ...

class Run(_message.Message):
    __slots__ = ("namespace", "run_id", "workflow_id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    workflow_id: str
    run_id: str
    def __init__(
        self, namespace: str | None = ..., workflow_id: str | None = ..., run_id: str | None = ...
    ) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("attempt", "run_id", "scheduled_event_id")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    scheduled_event_id: int
    attempt: int
    def __init__(
        self, run_id: str | None = ..., scheduled_event_id: int | None = ..., attempt: int | None = ...
    ) -> None: ...

class FromWorkers(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[FromWorker]
    def __init__(self, messages: _Iterable[FromWorker | _Mapping] | None = ...) -> None: ...

class FromWorker(_message.Message):
    __slots__ = ("activity", "capacity", "hello", "query", "turn")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    capacity: Capacity
    activity: ActivityReport
    turn: TurnReport
    query: QueryReport
    def __init__(
        self,
        hello: Hello | _Mapping | None = ...,
        capacity: Capacity | _Mapping | None = ...,
        activity: ActivityReport | _Mapping | None = ...,
        turn: TurnReport | _Mapping | None = ...,
        query: QueryReport | _Mapping | None = ...,
    ) -> None: ...

class Hello(_message.Message):
    __slots__ = (
        "build_id",
        "groups",
        "identity",
        "labels",
        "namespace",
        "running",
        "task_queues",
        "turn_slots",
        "worker_id",
        "workflow_types",
    )
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: str | None = ..., value: str | None = ...) -> None: ...

    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUES_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPES_FIELD_NUMBER: _ClassVar[int]
    TURN_SLOTS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    identity: str
    build_id: str
    namespace: str
    task_queues: _containers.RepeatedScalarFieldContainer[str]
    workflow_types: _containers.RepeatedScalarFieldContainer[str]
    turn_slots: int
    groups: _containers.RepeatedCompositeFieldContainer[ActivityGroup]
    running: _containers.RepeatedCompositeFieldContainer[Attempt]
    labels: _containers.ScalarMap[str, str]
    def __init__(
        self,
        worker_id: str | None = ...,
        identity: str | None = ...,
        build_id: str | None = ...,
        namespace: str | None = ...,
        task_queues: _Iterable[str] | None = ...,
        workflow_types: _Iterable[str] | None = ...,
        turn_slots: int | None = ...,
        groups: _Iterable[ActivityGroup | _Mapping] | None = ...,
        running: _Iterable[Attempt | _Mapping] | None = ...,
        labels: _Mapping[str, str] | None = ...,
    ) -> None: ...

class ActivityGroup(_message.Message):
    __slots__ = ("activity_types", "slots")
    ACTIVITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    activity_types: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    def __init__(self, activity_types: _Iterable[str] | None = ..., slots: int | None = ...) -> None: ...

class Capacity(_message.Message):
    __slots__ = ("slots", "turn_slots")
    TURN_SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    turn_slots: int
    slots: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, turn_slots: int | None = ..., slots: _Iterable[int] | None = ...) -> None: ...

class ActivityReport(_message.Message):
    __slots__ = (
        "attempt",
        "canceled",
        "completed",
        "failed",
        "heartbeat",
        "last_heartbeat",
        "left",
        "run",
        "scheduled_event_id",
    )
    RUN_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    run: Run
    scheduled_event_id: int
    attempt: int
    completed: Payloads
    failed: Failure
    canceled: Payloads
    heartbeat: Payloads
    left: Payloads
    last_heartbeat: Payloads
    def __init__(
        self,
        run: Run | _Mapping | None = ...,
        scheduled_event_id: int | None = ...,
        attempt: int | None = ...,
        completed: Payloads | _Mapping | None = ...,
        failed: Failure | _Mapping | None = ...,
        canceled: Payloads | _Mapping | None = ...,
        heartbeat: Payloads | _Mapping | None = ...,
        left: Payloads | _Mapping | None = ...,
        last_heartbeat: Payloads | _Mapping | None = ...,
    ) -> None: ...

class Payloads(_message.Message):
    __slots__ = ("payloads",)
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    payloads: _containers.RepeatedCompositeFieldContainer[Payload]
    def __init__(self, payloads: _Iterable[Payload | _Mapping] | None = ...) -> None: ...

class TurnReport(_message.Message):
    __slots__ = ("attempt", "cause", "commands", "failure", "run", "started_event_id")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    run: Run
    started_event_id: int
    attempt: int
    commands: bytes
    cause: str
    failure: Failure
    def __init__(
        self,
        run: Run | _Mapping | None = ...,
        started_event_id: int | None = ...,
        attempt: int | None = ...,
        commands: bytes | None = ...,
        cause: str | None = ...,
        failure: Failure | _Mapping | None = ...,
    ) -> None: ...

class QueryReport(_message.Message):
    __slots__ = ("failure", "query_id", "result")
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    query_id: int
    result: Payloads
    failure: Failure
    def __init__(
        self,
        query_id: int | None = ...,
        result: Payloads | _Mapping | None = ...,
        failure: Failure | _Mapping | None = ...,
    ) -> None: ...

class ToWorkers(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ToWorker]
    def __init__(self, messages: _Iterable[ToWorker | _Mapping] | None = ...) -> None: ...

class ToWorker(_message.Message):
    __slots__ = ("acknowledge", "activity", "cancel", "evict", "query", "turn")
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    EVICT_FIELD_NUMBER: _ClassVar[int]
    activity: ActivityTask
    cancel: CancelAttempt
    acknowledge: Acknowledge
    turn: TakeTurn
    query: AnswerQuery
    evict: Evict
    def __init__(
        self,
        activity: ActivityTask | _Mapping | None = ...,
        cancel: CancelAttempt | _Mapping | None = ...,
        acknowledge: Acknowledge | _Mapping | None = ...,
        turn: TakeTurn | _Mapping | None = ...,
        query: AnswerQuery | _Mapping | None = ...,
        evict: Evict | _Mapping | None = ...,
    ) -> None: ...

class ActivityTask(_message.Message):
    __slots__ = (
        "activity_id",
        "activity_type",
        "attempt",
        "header",
        "heartbeat_details",
        "heartbeat_timeout",
        "input",
        "last_failure",
        "max_attempts",
        "run",
        "schedule_to_close_timeout",
        "scheduled_event_id",
        "scheduled_time",
        "start_to_close_timeout",
        "started_time",
        "task_queue",
        "workflow_type",
    )
    class HeaderEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: str | None = ..., value: Payload | _Mapping | None = ...) -> None: ...

    RUN_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_TYPE_FIELD_NUMBER: _ClassVar[int]
    TASK_QUEUE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_TIME_FIELD_NUMBER: _ClassVar[int]
    STARTED_TIME_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_TO_CLOSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    START_TO_CLOSE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_DETAILS_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    run: Run
    workflow_type: str
    scheduled_event_id: int
    activity_id: str
    activity_type: str
    task_queue: str
    attempt: int
    max_attempts: int
    input: _containers.RepeatedCompositeFieldContainer[Payload]
    header: _containers.MessageMap[str, Payload]
    scheduled_time: int
    started_time: int
    schedule_to_close_timeout: int
    start_to_close_timeout: int
    heartbeat_timeout: int
    heartbeat_details: _containers.RepeatedCompositeFieldContainer[Payload]
    last_failure: Failure
    def __init__(
        self,
        run: Run | _Mapping | None = ...,
        workflow_type: str | None = ...,
        scheduled_event_id: int | None = ...,
        activity_id: str | None = ...,
        activity_type: str | None = ...,
        task_queue: str | None = ...,
        attempt: int | None = ...,
        max_attempts: int | None = ...,
        input: _Iterable[Payload | _Mapping] | None = ...,
        header: _Mapping[str, Payload] | None = ...,
        scheduled_time: int | None = ...,
        started_time: int | None = ...,
        schedule_to_close_timeout: int | None = ...,
        start_to_close_timeout: int | None = ...,
        heartbeat_timeout: int | None = ...,
        heartbeat_details: _Iterable[Payload | _Mapping] | None = ...,
        last_failure: Failure | _Mapping | None = ...,
    ) -> None: ...

class CancelAttempt(_message.Message):
    __slots__ = ("run", "scheduled_event_id")
    RUN_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    run: Run
    scheduled_event_id: int
    def __init__(
        self, run: Run | _Mapping | None = ..., scheduled_event_id: int | None = ...
    ) -> None: ...

class Acknowledge(_message.Message):
    __slots__ = ("attempt", "refused")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    attempt: Attempt
    refused: str
    def __init__(self, attempt: Attempt | _Mapping | None = ..., refused: str | None = ...) -> None: ...

class TakeTurn(_message.Message):
    __slots__ = ("attempt", "events", "is_new", "run", "started_event_id", "updates")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    run: Run
    started_event_id: int
    attempt: int
    is_new: bool
    events: bytes
    updates: bytes
    def __init__(
        self,
        run: Run | _Mapping | None = ...,
        started_event_id: int | None = ...,
        attempt: int | None = ...,
        is_new: bool = ...,
        events: bytes | None = ...,
        updates: bytes | None = ...,
    ) -> None: ...

class AnswerQuery(_message.Message):
    __slots__ = ("events", "input", "name", "query_id", "run")
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    query_id: int
    run: Run
    name: str
    input: _containers.RepeatedCompositeFieldContainer[Payload]
    events: bytes
    def __init__(
        self,
        query_id: int | None = ...,
        run: Run | _Mapping | None = ...,
        name: str | None = ...,
        input: _Iterable[Payload | _Mapping] | None = ...,
        events: bytes | None = ...,
    ) -> None: ...

class Evict(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: str | None = ...) -> None: ...

class Calls(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    def __init__(self, calls: _Iterable[Call | _Mapping] | None = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("arguments", "cancel", "id", "operation")
    ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    id: int
    operation: str
    arguments: bytes
    cancel: bool
    def __init__(
        self,
        id: int | None = ...,
        operation: str | None = ...,
        arguments: bytes | None = ...,
        cancel: bool = ...,
    ) -> None: ...

class Answers(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, answers: _Iterable[Answer | _Mapping] | None = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("error", "id", "result")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    result: bytes
    error: Error
    def __init__(
        self, id: int | None = ..., result: bytes | None = ..., error: Error | _Mapping | None = ...
    ) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "run_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    run_id: str
    def __init__(
        self, code: str | None = ..., message: str | None = ..., run_id: str | None = ...
    ) -> None: ...
