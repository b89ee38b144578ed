"""Kernel transcripts: what is asked of a run, and what the kernel decides, as text that can be read, reviewed and recorded again.

A transcript is a story told in steps. What is indented by four spaces is recorded; everything else is written by hand::

    # Comments stay as they are.
    start StartWorkflow("order-1", "Order", input=args(42))
        1 WorkflowExecutionStarted ...

    turn
      > StartTimer("nap", 5 * s)
        3 WorkflowTaskStarted ...

The first line of a step says what happens:

- ``start REQUEST``: a run begins with a ``StartWorkflow`` or a ``ForkWorkflow``; it is called ``r1``, the next one ``r2``.
  ``start next`` begins the run that goes on in the place of the one that just closed.
- ``take``: a worker takes the turn; ``hand in``: it hands in the commands that follow; ``turn``: both, in one commit.
- ``wait 5s``: time passes. ``use r1``: from now on the story is about that run. ``limits NAME=VALUE``: from now on these
  limits hold. ``types NAME=TYPE``: the search attributes of the namespace.
- ``retry now``: an engine that takes the run up does not wait out the back-off of its failed turn.
- ``show``: what the run waits for. ``preview``: the events of the turn in hand that the history does not have yet.
- anything else is a request, written as Python would write it.

A line that begins with ``+`` is one more request that joins the same commit. Two spaces continue the line before.

In what is recorded, a line that begins with a number is an event, one that begins with a dot is a fact. Attributes that
have their defaults are left out. Times count from the beginning of the story. A run that follows ``r1`` is called
``r1/next``.
"""

import json
import re
import textwrap
from enum import IntEnum
from pathlib import Path
from typing import Any

import msgspec
from tests.kernel.ledger import Ledger, decode_message

from perdure.kernel import commit as kernel_commit
from perdure.kernel import derive
from perdure.kernel.commit import Commit, Rejection
from perdure.kernel.lifecycle import derived_run_id
from perdure.kernel.run import Run
from perdure.kernel.transition import start, start_fork, transition
from perdure.kernel.workflow_task import preview, retry_now, suggests_continue_as_new
from perdure.model import (
    activity_options,
    affinity,
    commands,
    events,
    failures,
    ids,
    options,
    payloads,
    requests,
    task_queues,
)
from perdure.model.limits import Limits
from perdure.model.options import SECOND_NS
from perdure.model.payloads import JSON, NULL, Payload
from perdure.model.search import AttributeType

BEGINNING = 1_700_000_000 * SECOND_NS
WIDTH = 120

_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND_NS, "m": 60 * SECOND_NS, "h": 3600 * SECOND_NS}
_TIMERS = {-1: "the run's timeout", -2: "the execution's timeout", -3: "the first turn", -4: "the turn"}


class TranscriptError(ValueError):
    """The part written by hand can't be read."""


class Transcript:
    """A story, told from its beginning whenever ``retell`` is called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text()
        self.seen: set[type] = set()
        """Every kind of request, command and record that the story has."""

    def retell(self) -> str:
        """The whole text, with what the kernel decides now in the place of what was recorded."""
        teller = _Teller(self.seen)
        parts = []
        for block in _blocks(self.text):
            comments, lines = _without_recorded(block)
            try:
                told = teller.step(lines) if lines else []
            except (TranscriptError, AssertionError) as error:
                raise error.__class__(f"{self.path.name}: at {lines[0]!r}: {error}") from error
            parts.append("\n".join(comments + lines + told))
        teller.end()
        return "\n\n".join(parts) + "\n"


def _blocks(text: str) -> list[list[str]]:
    return [block.splitlines() for block in re.split(r"\n\s*\n", text.strip("\n")) if block.strip()]


def _without_recorded(block: list[str]) -> tuple[list[str], list[str]]:
    comments = [line for line in block if line.startswith("#")]
    return comments, [line.rstrip() for line in block if not line.startswith(("#", "    "))]


class _Teller:
    """Runs a story."""

    def __init__(self, seen: set[type]) -> None:
        self.seen = seen
        self.now = BEGINNING
        self.limits = Limits()
        self.types: dict[str, AttributeType] = {}
        self.runs: dict[str, Run] = {}
        self.ledgers: dict[str, Ledger] = {}
        self.names: dict[str, str] = {}
        self.current = ""
        self.last: Commit | None = None

    @property
    def run(self) -> Run:
        return self.runs[self.current]

    # --- steps

    def step(self, lines: list[str]) -> list[str]:
        """What came of one step."""
        statements = _statements(lines)
        word, _, rest = statements[0][0].partition(" ")
        match word:
            case "wait":
                self.now += _duration(rest)
                return []
            case "use":
                self.current = rest
                return []
            case "limits":
                settings = dict(part.split("=") for part in rest.split())
                self.limits = msgspec.structs.replace(
                    self.limits, **{name: int(value) for name, value in settings.items()}
                )
                return []
            case "types":
                self.types = {
                    name: AttributeType[type.upper()] for name, type in (part.split("=") for part in rest.split())
                }
                return []
            case "show":
                return self._indent(self._state())
            case "preview":
                return self._indent([self._record(event) for event in preview(self.run, self._suggests())])
            case _:
                return self._decide(statements)

    def _decide(self, statements: list[tuple[str, list[str]]]) -> list[str]:
        """Requests that share a commit, and what came of them."""
        commit: Commit | None = None
        refused: list[str] = []
        for text, asked in statements:
            outcome = self._do(text, asked, commit)
            if isinstance(outcome, Rejection):
                refused.append(f"refused {outcome.reason.name}: {outcome.message}")
                if commit is None:
                    self.ledgers[self.current].check(self.run)
            else:
                commit = outcome
        told = self._tell(commit) if commit is not None else []
        return self._indent([self._aliased(line) for line in told + refused] or ["nothing"])

    def end(self) -> None:
        """Check everything once more."""
        for ledger in self.ledgers.values():
            ledger.check_whole()

    def _suggests(self) -> bool:
        return suggests_continue_as_new(Commit(self.run, self.now, self.limits))

    def _do(self, text: str, asked: list[str], commit: Commit | None) -> Commit | Rejection:
        word, _, rest = text.partition(" ")
        if word == "start":
            return self._start(rest)
        if text == "retry now":
            commit = commit or Commit(self.run, self.now, self.limits)
            retry_now(commit)
            return commit
        if text == "take":
            return self._ask(requests.StartWorkflowTask("worker"), commit)
        if text in ("turn", "hand in"):
            if text == "turn":
                taken = self._ask(requests.StartWorkflowTask("worker"), commit)
                if isinstance(taken, Rejection):
                    return taken
                commit = taken
            request = requests.CompleteWorkflowTask(
                *self._turn_in_hand(), tuple(self._evaluate(command) for command in asked), "worker", "build-1"
            )
            return self._ask(request, commit)
        return self._ask(self._evaluate(text), commit)

    def _start(self, text: str) -> Commit | Rejection:
        if text == "next":
            assert self.last is not None and self.last.successor is not None, "no run follows"
            run_id, request = self.last.successor.run_id, self.last.successor.request
        else:
            run_id, request = f"r{len(self.runs) + 1}", self._evaluate(text)
        self.seen.add(type(request))
        if isinstance(request, requests.ForkWorkflow):
            commit = start_fork("default", run_id, request, self.now, self.limits)
            if isinstance(commit, Rejection):
                return commit
        else:
            commit = start("default", run_id, request, self.now, self.limits)
        self.current = run_id
        self.runs[run_id] = commit.run
        self.ledgers[run_id] = Ledger("default", run_id)
        return commit

    def _ask(self, request: Any, commit: Commit | None) -> Commit | Rejection:
        self.seen.add(type(request))
        for command in getattr(request, "commands", ()):
            self.seen.add(type(command))
        if commit is None:
            commit = Commit(self.run, self.now, self.limits, self.types)
        return transition(self.run, request, self.now, self.limits, commit)

    def _turn_in_hand(self) -> tuple[int, int]:
        task = self.run.workflow_task
        return (task.started_event_id, task.attempt) if task is not None else (0, 0)

    def _evaluate(self, text: str) -> Any:
        names = {
            **_NAMES,
            "hand": self._turn_in_hand,
            "history": lambda: tuple(self.ledgers[self.current].records()),
            "last": lambda: self.run.close,
        }
        try:
            return eval(text, {"__builtins__": {}}, names)
        except Exception as error:
            raise TranscriptError(f"{text!r} can't be read: {error!r}") from error

    # --- what came of it

    def _tell(self, commit: Commit) -> list[str]:
        commit.seal()
        ledger = self.ledgers[commit.run.run_id]
        ledger.write(commit)
        ledger.check(commit.run)
        self.last = commit
        if commit.successor is not None:
            self.names[commit.successor.run_id] = f"{self.names.get(commit.run.run_id, commit.run.run_id)}/next"
        lines = [self._record(record) for record in commit.records]
        for ref, task in commit.tasks.items():
            lines.append(self._task(ref, task))
        for (due, ref), is_set in commit.timers.items():
            lines.append(f"timer of {_timer(ref)}: {'rings at' if is_set else 'dropped, was'} {_time(due)}")
        for ref, message in commit.messages.items():
            lines.append(self._message(ref, message))
        if commit.ready:
            lines.append(f"ready: {', '.join(map(str, commit.ready))}")
        if commit.cancelled:
            lines.append(f"worker told to stop: {', '.join(map(str, commit.cancelled))}")
        for answer in commit.answers:
            attributes = _attributes(answer, ("update_id", "stage"))
            lines.append(f"answer to {answer.update_id}: {answer.stage.name}{attributes}")
        if commit.successor is not None:
            lines.append(f"next run {commit.successor.run_id}: {_value(commit.successor.request)}")
        if commit.is_visible:
            lines.append("lists show the change")
        return lines

    def _record(self, record: Any) -> str:
        if isinstance(record, events.EventBuffered):
            self.seen.update((type(record), type(record.event)))
            return f"· buffered {self._event(record.event)}"
        if isinstance(record, events.EventFlushed):
            self.seen.update((type(record), type(record.event)))
            return f"{record.event.id} {self._event(record.event)} (was buffered)"
        self.seen.add(type(record))
        return f"{record.id or '·'} {self._event(record)}"

    def _event(self, event: Any) -> str:
        time = f" time={_time(event.time)}" if event.time != self.now else ""
        return f"{type(event).__name__}{time}{_attributes(event, ('id', 'time'))}"

    def _task(self, ref: int, task: kernel_commit.Task | None) -> str:
        name = "the turn" if ref == 0 else f"activity {ref}"
        if task is None:
            return f"task of {name}: done"
        due = f", due {_time(task.due)}" if task.due else ""
        return f"task of {name}: {task.type} on {task.task_queue}, {'started' if task.started else 'waiting'}{due}"

    def _message(self, ref: int, message: Any) -> str:
        if message is None:
            return f"message {ref}: need not be sent"
        reply = ", wants a reply" if message.wants_reply else ""
        return f"message {ref} to {_value(message.target)}{reply}: {_value(message.request)}"

    def _state(self) -> list[str]:
        run = self.run
        lines = [f"{run.status.name}, {run.history_length} events"]
        lines += [self._task(ref, task) for ref, task in sorted(derive.tasks(run).items())]
        lines += [f"timer of {_timer(ref)}: rings at {_time(due)}" for due, ref in sorted(derive.timers(run))]
        ledger = self.ledgers[run.run_id]
        lines += [self._message(ref, decode_message(message)) for ref, message in sorted(ledger.messages.items())]
        return [self._aliased(line) for line in lines]

    def _aliased(self, line: str) -> str:
        for run_id, name in self.names.items():
            line = line.replace(run_id, name)
        return line

    def _indent(self, lines: list[str]) -> list[str]:
        indented: list[str] = []
        for line in lines:
            head, _, _ = line.partition(" ")
            first = "    " + (f"{head:>3}" + line[len(head) :] if head.isdigit() or head == "·" else line)
            indented += textwrap.wrap(
                first, WIDTH, subsequent_indent=" " * 12, break_long_words=False, break_on_hyphens=False
            )
        return indented


def _statements(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Each request of a step with the commands that belong to it."""
    statements: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith("  > "):
            statements[-1][1].append(line[4:])
        elif line.startswith("  "):
            text, asked = statements[-1]
            if asked:
                asked[-1] += " " + line.strip()
            else:
                statements[-1] = (f"{text} {line.strip()}", asked)
        else:
            statements.append((line.removeprefix("+ "), []))
    return statements


# --- values as text


def _duration(text: str) -> int:
    match = re.fullmatch(r"(\d+)(ns|us|ms|s|m|h)", text)
    if match is None:
        raise TranscriptError(f"{text!r} is no duration; write 5s, 20ms, 3m or 1h")
    return int(match[1]) * _UNITS[match[2]]


def _length(ns: int) -> str:
    if not ns or ns < 0:
        return str(ns)
    parts = []
    for unit in ("h", "m", "s", "ms", "us", "ns"):
        count, ns = divmod(ns, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _time(ns: int) -> str:
    return "never" if not ns else f"+{_length(ns - BEGINNING)}" if ns != BEGINNING else "+0s"


def _timer(ref: int) -> str:
    return _TIMERS.get(ref, f"event {ref}")


def _attributes(struct: Any, left_out: tuple[str, ...] = ()) -> str:
    """The attributes that do not have their defaults, one after the other."""
    parts = []
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if field.name in left_out or value == field.default:
            continue
        if field.default_factory is not msgspec.NODEFAULT and value == field.default_factory():
            continue
        parts.append(f" {field.name.removesuffix('_ns')}={_value(value, field.name)}")
    return "".join(parts)


def _value(value: Any, name: str = "") -> str:
    match value:
        case bool() | None:
            return str(value)
        case IntEnum():
            return value.name
        case int() if name.endswith("_ns"):
            return _length(value)
        case int() if name == "time" or name.endswith(("_time", "due")):
            return _time(value)
        case str():
            return value if re.fullmatch(r"[\w./:@-]+", value) else json.dumps(value, ensure_ascii=False)
        case Payload():
            return _payload(value)
        case ids.RunAddress(namespace=namespace, workflow_id=workflow_id, run_id=run_id):
            return "/".join(part for part in (namespace.removeprefix("default"), workflow_id, run_id) if part)
        case ids.ParentLink():
            return f"{value.workflow_id}/{value.run_id}, event {value.initiated_event_id}"
        case msgspec.Struct():
            return f"{type(value).__name__}({_attributes(value).lstrip()})"
        case tuple() | list():
            return "[" + ", ".join(map(_value, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def _payload(payload: Payload) -> str:
    if payload.encoding == NULL:
        return "null"
    assert payload.encoding == JSON
    return payload.data.decode()


def args(*values: Any) -> payloads.Payloads:
    """Python values as payloads."""
    return tuple(map(_as_payload, values))


def _as_payload(value: Any) -> Payload:
    return Payload(b"", NULL) if value is None else Payload(json.dumps(value).encode())


def values(**items: Any) -> payloads.PayloadMap:
    """Python values as payloads by name; None stands for the null payload."""
    return {name: _as_payload(value) for name, value in items.items()}


_NAMES: dict[str, Any] = {
    **{
        name: value
        for module in (activity_options, affinity, commands, events, failures, ids, options, requests, task_queues)
        for name, value in vars(module).items()
        if isinstance(value, type)
    },
    **vars(commands),
    **_UNITS,
    "args": args,
    "values": values,
    "tuple": tuple,
    "range": range,
    "str": str,
    "next_run": lambda run_id: derived_run_id(run_id, "next"),
}
