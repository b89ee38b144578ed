"""A history without its values, that still replays where the code does not depend on them.

Values keep their type and shape: text keeps its length and its punctuation, a number its sign and how many digits it
has, a list its length, an object the names of its members. The same value always becomes the same other one, so
comparisons between values come out as they did. What is made up is derived from a secret that is forgotten.

Kept as they are: names, ids, types, times, true, false, null, empty and zero values, the names of members that are
identifiers, values that are part of a workflow id, which is shown anyway, and whatever ``keep`` names. Values in an
encoding that only a codec reads become null.
"""

import hmac
import re
import secrets
import string
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from perdure.model import events as e
from perdure.model.failures import Failure
from perdure.model.payloads import BINARY, JSON, NULL, Payload

REDACTED = "redacted"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?P<time>[T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?(?P<zone>Z|[+-]\d\d:?\d\d)?")
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_DURATION = re.compile(r"[+-]?P(?=.)[0-9YMWDTHS.]+")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HEX = str.maketrans(string.ascii_lowercase, "".join("abcdef"[index % 6] for index in range(26)))

# What a workflow's own code never reads.
_PEOPLE = frozenset({"identity"})
_WORDS = frozenset({"reason"})


def redact(events: Sequence[e.Event], keep: Collection[str] = ()) -> list[e.Event]:
    """The events with other values.

    Args:
        events: a run's history.
        keep: what to leave as it is: the members of objects, memo fields and search attributes of these names, and all that
            activities, signals, updates and workflows of these names take and give.
    """
    return _Redactor(frozenset(keep)).redact(events)


class _Redactor:
    def __init__(self, keep: frozenset[str]) -> None:
        self.keep = keep
        self.secret = secrets.token_bytes(32)
        self.workflow_ids = ""
        """All that the history names, one a line. Children's are often made from values."""

    def redact(self, events: Sequence[e.Event]) -> list[e.Event]:
        names = _Names(events)
        self.workflow_ids = "\n".join(sorted(names.workflow_ids))
        return [event if names.of(event) in self.keep else self.struct(event) for event in events]

    # --- records

    def struct(self, value: Any) -> Any:
        """An event, or anything in one."""
        changes: dict[str, Any] = {}
        for name in value.__struct_fields__:
            old = getattr(value, name)
            if not old:
                continue
            if name in _PEOPLE:
                changes[name] = REDACTED
            elif name in _WORDS and isinstance(old, str):
                changes[name] = self.text(old)
            elif isinstance(old, Failure):
                changes[name] = self.failure(old)
            elif isinstance(value, e.MarkerRecorded) and isinstance(old, dict):
                changes[name] = {key: old[key] if key in ("id", "deprecated") else self.inner(old[key]) for key in old}
            elif isinstance(old, (msgspec.Struct, tuple, dict)):
                changes[name] = self.inner(old)
        if isinstance(value, e.WorkflowExecutionCancelRequested):
            changes["cause"] = self.text(value.cause)
        return msgspec.structs.replace(value, **changes) if changes else value

    def inner(self, value: Any) -> Any:
        """What an attribute holds."""
        match value:
            case Payload():
                return self.payload(value)
            case Failure():
                return self.failure(value)
            case msgspec.Struct():
                return self.struct(value)
            case tuple():
                return tuple(self.inner(item) for item in value)
            case dict():
                return {key: item if key in self.keep else self.inner(item) for key, item in value.items()}
            case _:
                return value

    def failure(self, failure: Failure) -> Failure:
        """An error keeps its type and its causes, by which code tells errors apart."""
        return msgspec.structs.replace(
            failure,
            message=self.text(failure.message),
            details=self.inner(failure.details),
            cause=None if failure.cause is None else self.failure(failure.cause),
            stack_trace="",
            identity=REDACTED if failure.identity else "",
        )

    # --- values

    def payload(self, payload: Payload) -> Payload:
        """A payload of the same encoding."""
        if payload.encoding == NULL:
            return payload
        if payload.encoding == BINARY:
            return Payload(self.blob(payload.data), BINARY)
        try:
            if payload.encoding != JSON:
                return Payload(b"", NULL)
            return Payload(msgspec.json.encode(self.value(msgspec.json.decode(payload.data))), JSON)
        except msgspec.DecodeError:
            return Payload(b"", NULL)

    def value(self, value: Any) -> Any:
        """A JSON value of the same type and shape."""
        match value:
            case str():
                return self.text(value)
            case bool() | None:
                return value
            case int():
                return self.integer(value)
            case float():
                return float(self.integer(int(value))) + (0.5 if value % 1 else 0.0)
            case list():
                return [self.value(item) for item in value]
            case dict():
                return {
                    key if _IDENTIFIER.fullmatch(key) else self.text(key): item
                    if key in self.keep
                    else self.value(item)
                    for key, item in value.items()
                }
            case _:
                return None

    def text(self, text: str) -> str:
        """Other letters and digits. What is a moment, a duration or a UUID stays one."""
        if text in self.workflow_ids:
            return text
        if (moment := _MOMENT.fullmatch(text)) is not None:
            time = re.sub(r"\d", "0", moment["time"] or "")
            return f"20{int(self.blob(text.encode())[0]) % 100:02d}-01-01{time}{moment['zone'] or ''}"
        if _CLOCK.fullmatch(text):
            return re.sub(r"\d", "0", text)
        if _DURATION.fullmatch(text):
            return re.sub(r"\d", "1", text)
        other = "".join(map(_like, text, self.stream(text.encode(), len(text))))
        return other.lower().translate(_HEX) if _UUID.fullmatch(text) else other

    def integer(self, number: int) -> int:
        """As many digits."""
        if re.search(rf"(?<!\d){abs(number)}(?!\d)", self.workflow_ids):
            return number
        digits = str(abs(number))
        made = "".join(map(_like, digits, self.stream(digits.encode(), len(digits))))
        if number == 0:
            return number
        made = made if made[0] != "0" else f"1{made[1:]}"
        return int(made) if number > 0 else -int(made)

    def blob(self, data: bytes) -> bytes:
        """As many bytes."""
        return self.stream(data, max(1, len(data)))[: len(data)] if data else b""

    def stream(self, data: bytes, length: int) -> bytes:
        """Bytes that follow from the data and the secret."""
        made = b""
        while len(made) < length:
            made += hmac.digest(self.secret, len(made).to_bytes(8, "big") + data, "sha256")
        return made[:length]


def _like(character: str, chance: int) -> str:
    if character in string.ascii_lowercase:
        return string.ascii_lowercase[chance % 26]
    if character in string.ascii_uppercase:
        return string.ascii_uppercase[chance % 26]
    if character in string.digits:
        return string.digits[chance % 10]
    return character if character in string.punctuation or character.isspace() else "x"


class _Names:
    """What an event is about: the name of the activity, signal, update or workflow whose values it has.

    ``workflow_ids`` are those that the events name.
    """

    def __init__(self, events: Sequence[e.Event]) -> None:
        self.by_event: dict[int, str] = {}
        self.updates: dict[str, str] = {}
        self.workflow = ""
        self.workflow_ids: set[str] = set()
        for event in events:
            match event:
                case e.WorkflowExecutionStarted():
                    self.workflow = event.workflow_type
                    self.workflow_ids.add(event.workflow_id)
                case e.ActivityTaskScheduled():
                    self.by_event[event.id] = event.activity_type
                case e.StartChildWorkflowExecutionInitiated():
                    self.by_event[event.id] = event.workflow_type
                    self.workflow_ids.add(event.workflow_id)
                case e.SignalExternalWorkflowExecutionInitiated() | e.RequestCancelExternalWorkflowExecutionInitiated():
                    self.workflow_ids.add(event.workflow_execution.workflow_id)
                case e.WorkflowExecutionUpdateAccepted():
                    self.updates[event.protocol_instance_id] = event.update_name
                case _:
                    pass

    def of(self, event: e.Event) -> str:
        match event:
            case e.WorkflowExecutionSignaled() | e.SignalExternalWorkflowExecutionInitiated():
                return event.signal_name
            case e.WorkflowExecutionUpdateAccepted():
                return event.update_name
            case e.WorkflowExecutionUpdateCompleted():
                return self.updates.get(event.update_id, "")
            case (
                e.WorkflowExecutionStarted()
                | e.WorkflowExecutionCompleted()
                | e.WorkflowExecutionFailed()
                | e.WorkflowExecutionCanceled()
                | e.WorkflowExecutionContinuedAsNew()
            ):
                return self.workflow
            case _:
                begun: int = (
                    getattr(event, "scheduled_event_id", 0) or getattr(event, "initiated_event_id", 0) or event.id
                )
                return self.by_event.get(begun, "")
