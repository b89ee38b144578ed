from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Payload(_message.Message):
    __slots__ = ("data", "encoding", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    encoding: str
    metadata: _containers.ScalarMap[str, bytes]
    def __init__(self, data: _Optional[bytes] = ..., encoding: _Optional[str] = ..., metadata: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("message", "kind", "type", "non_retryable", "details", "cause", "stack_trace", "source", "next_retry_delay", "timeout_type", "retry_state", "activity_id", "activity_type", "workflow_id", "run_id", "workflow_type", "scheduled_event_id", "started_event_id", "identity")
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
    def __init__(self, message: _Optional[str] = ..., kind: _Optional[int] = ..., type: _Optional[str] = ..., non_retryable: bool = ..., details: _Optional[_Iterable[_Union[Payload, _Mapping]]] = ..., cause: _Optional[_Union[Failure, _Mapping]] = ..., stack_trace: _Optional[str] = ..., source: _Optional[str] = ..., next_retry_delay: _Optional[int] = ..., timeout_type: _Optional[int] = ..., retry_state: _Optional[int] = ..., activity_id: _Optional[str] = ..., activity_type: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ..., workflow_type: _Optional[str] = ..., scheduled_event_id: _Optional[int] = ..., started_event_id: _Optional[int] = ..., identity: _Optional[str] = ...) -> None: ...

class Run(_message.Message):
    __slots__ = ("namespace", "workflow_id", "run_id")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    workflow_id: str
    run_id: str
    def __init__(self, namespace: _Optional[str] = ..., workflow_id: _Optional[str] = ..., run_id: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("run_id", "scheduled_event_id", "attempt")
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    scheduled_event_id: int
    attempt: int
    def __init__(self, run_id: _Optional[str] = ..., scheduled_event_id: _Optional[int] = ..., attempt: _Optional[int] = ...) -> None: ...

class FromWorkers(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[FromWorker]
    def __init__(self, messages: _Optional[_Iterable[_Union[FromWorker, _Mapping]]] = ...) -> None: ...

class FromWorker(_message.Message):
    __slots__ = ("hello", "capacity", "activity", "turn", "query")
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
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., capacity: _Optional[_Union[Capacity, _Mapping]] = ..., activity: _Optional[_Union[ActivityReport, _Mapping]] = ..., turn: _Optional[_Union[TurnReport, _Mapping]] = ..., query: _Optional[_Union[QueryReport, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("worker_id", "identity", "build_id", "namespace", "task_queues", "workflow_types", "turn_slots", "groups", "running", "labels", "goes_ahead")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
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
    GOES_AHEAD_FIELD_NUMBER: _ClassVar[int]
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
    goes_ahead: bool
    def __init__(self, worker_id: _Optional[str] = ..., identity: _Optional[str] = ..., build_id: _Optional[str] = ..., namespace: _Optional[str] = ..., task_queues: _Optional[_Iterable[str]] = ..., workflow_types: _Optional[_Iterable[str]] = ..., turn_slots: _Optional[int] = ..., groups: _Optional[_Iterable[_Union[ActivityGroup, _Mapping]]] = ..., running: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., goes_ahead: bool = ...) -> None: ...

class ActivityGroup(_message.Message):
    __slots__ = ("activity_types", "slots")
    ACTIVITY_TYPES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    activity_types: _containers.RepeatedScalarFieldContainer[str]
    slots: int
    def __init__(self, activity_types: _Optional[_Iterable[str]] = ..., slots: _Optional[int] = ...) -> None: ...

class Capacity(_message.Message):
    __slots__ = ("turn_slots", "slots")
    TURN_SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    turn_slots: int
    slots: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, turn_slots: _Optional[int] = ..., slots: _Optional[_Iterable[int]] = ...) -> None: ...

class ActivityReport(_message.Message):
    __slots__ = ("run", "scheduled_event_id", "attempt", "completed", "failed", "canceled", "heartbeat", "left", "last_heartbeat", "ahead")
    RUN_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    LAST_HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    AHEAD_FIELD_NUMBER: _ClassVar[int]
    run: Run
    scheduled_event_id: int
    attempt: int
    completed: Payloads
    failed: Failure
    canceled: Payloads
    heartbeat: Payloads
    left: Payloads
    last_heartbeat: Payloads
    ahead: TurnAhead
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., scheduled_event_id: _Optional[int] = ..., attempt: _Optional[int] = ..., completed: _Optional[_Union[Payloads, _Mapping]] = ..., failed: _Optional[_Union[Failure, _Mapping]] = ..., canceled: _Optional[_Union[Payloads, _Mapping]] = ..., heartbeat: _Optional[_Union[Payloads, _Mapping]] = ..., left: _Optional[_Union[Payloads, _Mapping]] = ..., last_heartbeat: _Optional[_Union[Payloads, _Mapping]] = ..., ahead: _Optional[_Union[TurnAhead, _Mapping]] = ...) -> None: ...

class TurnAhead(_message.Message):
    __slots__ = ("started_event_id", "time", "commands", "state", "cause", "failure")
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    started_event_id: int
    time: int
    commands: bytes
    state: bytes
    cause: str
    failure: Failure
    def __init__(self, started_event_id: _Optional[int] = ..., time: _Optional[int] = ..., commands: _Optional[bytes] = ..., state: _Optional[bytes] = ..., cause: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class Payloads(_message.Message):
    __slots__ = ("payloads",)
    PAYLOADS_FIELD_NUMBER: _ClassVar[int]
    payloads: _containers.RepeatedCompositeFieldContainer[Payload]
    def __init__(self, payloads: _Optional[_Iterable[_Union[Payload, _Mapping]]] = ...) -> None: ...

class TurnReport(_message.Message):
    __slots__ = ("run", "started_event_id", "attempt", "commands", "cause", "failure", "state", "token")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    started_event_id: int
    attempt: int
    commands: bytes
    cause: str
    failure: Failure
    state: bytes
    token: int
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., started_event_id: _Optional[int] = ..., attempt: _Optional[int] = ..., commands: _Optional[bytes] = ..., cause: _Optional[str] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., state: _Optional[bytes] = ..., token: _Optional[int] = ...) -> None: ...

class QueryReport(_message.Message):
    __slots__ = ("query_id", "result", "failure")
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    query_id: int
    result: Payloads
    failure: Failure
    def __init__(self, query_id: _Optional[int] = ..., result: _Optional[_Union[Payloads, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class ToWorkers(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[ToWorker]
    def __init__(self, messages: _Optional[_Iterable[_Union[ToWorker, _Mapping]]] = ...) -> None: ...

class ToWorker(_message.Message):
    __slots__ = ("activity", "cancel", "acknowledge", "turn", "query", "evict")
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
    def __init__(self, activity: _Optional[_Union[ActivityTask, _Mapping]] = ..., cancel: _Optional[_Union[CancelAttempt, _Mapping]] = ..., acknowledge: _Optional[_Union[Acknowledge, _Mapping]] = ..., turn: _Optional[_Union[TakeTurn, _Mapping]] = ..., query: _Optional[_Union[AnswerQuery, _Mapping]] = ..., evict: _Optional[_Union[Evict, _Mapping]] = ...) -> None: ...

class ActivityTask(_message.Message):
    __slots__ = ("run", "workflow_type", "scheduled_event_id", "activity_id", "activity_type", "task_queue", "attempt", "max_attempts", "input", "header", "scheduled_time", "started_time", "schedule_to_close_timeout", "start_to_close_timeout", "heartbeat_timeout", "heartbeat_details", "last_failure", "first_attempt", "events", "suggest_continue_as_new")
    class HeaderEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
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
    FIRST_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    SUGGEST_CONTINUE_AS_NEW_FIELD_NUMBER: _ClassVar[int]
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
    first_attempt: int
    events: bytes
    suggest_continue_as_new: bool
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., workflow_type: _Optional[str] = ..., scheduled_event_id: _Optional[int] = ..., activity_id: _Optional[str] = ..., activity_type: _Optional[str] = ..., task_queue: _Optional[str] = ..., attempt: _Optional[int] = ..., max_attempts: _Optional[int] = ..., input: _Optional[_Iterable[_Union[Payload, _Mapping]]] = ..., header: _Optional[_Mapping[str, Payload]] = ..., scheduled_time: _Optional[int] = ..., started_time: _Optional[int] = ..., schedule_to_close_timeout: _Optional[int] = ..., start_to_close_timeout: _Optional[int] = ..., heartbeat_timeout: _Optional[int] = ..., heartbeat_details: _Optional[_Iterable[_Union[Payload, _Mapping]]] = ..., last_failure: _Optional[_Union[Failure, _Mapping]] = ..., first_attempt: _Optional[int] = ..., events: _Optional[bytes] = ..., suggest_continue_as_new: bool = ...) -> None: ...

class CancelAttempt(_message.Message):
    __slots__ = ("run", "scheduled_event_id")
    RUN_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    run: Run
    scheduled_event_id: int
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., scheduled_event_id: _Optional[int] = ...) -> None: ...

class Acknowledge(_message.Message):
    __slots__ = ("attempt", "refused")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    attempt: Attempt
    refused: str
    def __init__(self, attempt: _Optional[_Union[Attempt, _Mapping]] = ..., refused: _Optional[str] = ...) -> None: ...

class TakeTurn(_message.Message):
    __slots__ = ("run", "started_event_id", "attempt", "is_new", "events", "updates", "token")
    RUN_FIELD_NUMBER: _ClassVar[int]
    STARTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    IS_NEW_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    run: Run
    started_event_id: int
    attempt: int
    is_new: bool
    events: bytes
    updates: bytes
    token: int
    def __init__(self, run: _Optional[_Union[Run, _Mapping]] = ..., started_event_id: _Optional[int] = ..., attempt: _Optional[int] = ..., is_new: bool = ..., events: _Optional[bytes] = ..., updates: _Optional[bytes] = ..., token: _Optional[int] = ...) -> None: ...

class AnswerQuery(_message.Message):
    __slots__ = ("query_id", "run", "name", "input", "events", "header")
    class HeaderEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Payload
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Payload, _Mapping]] = ...) -> None: ...
    QUERY_ID_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    HEADER_FIELD_NUMBER: _ClassVar[int]
    query_id: int
    run: Run
    name: str
    input: _containers.RepeatedCompositeFieldContainer[Payload]
    events: bytes
    header: _containers.MessageMap[str, Payload]
    def __init__(self, query_id: _Optional[int] = ..., run: _Optional[_Union[Run, _Mapping]] = ..., name: _Optional[str] = ..., input: _Optional[_Iterable[_Union[Payload, _Mapping]]] = ..., events: _Optional[bytes] = ..., header: _Optional[_Mapping[str, Payload]] = ...) -> None: ...

class Evict(_message.Message):
    __slots__ = ("run_id",)
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    def __init__(self, run_id: _Optional[str] = ...) -> None: ...

class Calls(_message.Message):
    __slots__ = ("calls",)
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[Call]
    def __init__(self, calls: _Optional[_Iterable[_Union[Call, _Mapping]]] = ...) -> None: ...

class Call(_message.Message):
    __slots__ = ("id", "operation", "arguments", "cancel")
    ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    id: int
    operation: str
    arguments: bytes
    cancel: bool
    def __init__(self, id: _Optional[int] = ..., operation: _Optional[str] = ..., arguments: _Optional[bytes] = ..., cancel: bool = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("id", "result", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    result: bytes
    error: Error
    def __init__(self, id: _Optional[int] = ..., result: _Optional[bytes] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "run_id", "retry_after_seconds")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    run_id: str
    retry_after_seconds: float
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., run_id: _Optional[str] = ..., retry_after_seconds: _Optional[float] = ...) -> None: ...
