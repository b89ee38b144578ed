"""What there is to save of a run: its lines, and the values that belong to them.

A *line* is one sequence of states: the machine itself, a branch of a Parallel, an iteration of a Map. A turn saves the
lines that it changed, whole, and nothing of the others, so a step costs the same however many lines there are.
"""

from typing import Any

import msgspec

from perdure.languages.asl.data import NOTHING, Data, dec_hook, enc_hook
from perdure.languages.asl.execution import Execution


class Line(msgspec.Struct, array_like=True):
    """One sequence of states, and where it stands. ``input`` and ``variables`` come last: they may be large, and are
    saved apart, when they change.

    Args:
        id: 1 is the machine itself.
        states: where its states are in the definition; a JSON pointer, empty for the machine's own.
        state: the one that it is in.
        parent: the line that it is a branch or an iteration of; 0 for none.
        index: which branch or iteration.
        previous: AWS's number of the last event.
        entered: AWS's number of the event that says that the state was entered.
        before: AWS's number of the event before that.
        entered_time: ns since 1970.
        attempt: how often the state was retried.
        retries: by the place of the retrier, how often it was used.
        waits: what for: "" nothing, else a word of the state's own.
        sequence: how often it has waited; makes the names of what it waits for unique.
        notes: whatever else the state must know again; small.
        input: of the state, as it came from the one before.
        variables: those assigned in this line.
    """

    id: int
    states: str
    state: str
    parent: int = 0
    index: int = 0
    previous: int = 0
    entered: int = 0
    before: int = 0
    entered_time: int = 0
    attempt: int = 0
    retries: dict[int, int] = {}
    waits: str = ""
    sequence: int = 0
    notes: dict[str, Any] = {}
    input: Data = NOTHING
    variables: dict[str, Any] = {}


LARGE = ("input", "variables")


class MapRun(msgspec.Struct, array_like=True):
    """A distributed Map's run, as DescribeMapRun says it: counts of items, and of child executions. Times are ns since 1970.

    ``status`` is RUNNING, SUCCEEDED, FAILED or ABORTED; ``items_failed`` are all that did not succeed, with those that timed out
    or were aborted.
    """

    arn: str
    label: str
    status: str
    start_time: int
    stop_time: int = 0
    max_concurrency: int = 0
    tolerated_count: int = 0
    tolerated_percentage: float = 0.0
    items: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    executions: int = 0
    begun: int = 0
    succeeded: int = 0
    failed: int = 0
    timed_out: int = 0
    aborted: int = 0
    redrive_count: int = 0
    redrive_time: int = 0
    pending_redrive: int = 0
    items_begun: int = 0
    items_timed_out: int = 0
    items_aborted: int = 0
    items_pending_redrive: int = 0

    @property
    def ended(self) -> int:
        """Child executions that are over."""
        return self.succeeded + self.failed + self.timed_out + self.aborted

    @property
    def running(self) -> int:
        """Child executions under way."""
        return max(0, self.begun - self.ended - self.pending_redrive)

    @property
    def items_running(self) -> int:
        """Items of child executions under way."""
        return max(0, self.items_begun - self.items_succeeded - self.items_failed - self.items_pending_redrive)


class Entry(msgspec.Struct, array_like=True):
    """One of AWS's events: its type, the number of the one before it, and its details as JSON by name."""

    type: str
    previous: int
    details: dict[str, msgspec.Raw] = {}


class Delta(msgspec.Struct, omit_defaults=True):
    """What a turn changed. A line is its fields but the large ones; one that is None is over, and its values are gone.

    ``execution`` is what the run goes by, where its start did not say. ``values`` are by line and name; older ones of
    the lines in ``cleared`` are gone. ``children`` are child workflows under way, by workflow id: the names that lines
    wait for. ``redrive_time`` (ns since 1970) is there where the execution goes on after it had failed; ``redrives`` is how
    often it has by then. ``before`` is how many of AWS's events there were before those of ``log``. ``is_ending``: the
    execution is to end at its next state.
    """

    log: list[Entry] = []
    lines: dict[int, list[Any] | None] = {}
    inputs: dict[int, Data] = {}
    variables: dict[int, dict[str, Any]] = {}
    map_runs: dict[str, MapRun] = {}
    cleared: list[int] = []
    values: dict[int, dict[str, Data]] = {}
    execution: Execution | None = None
    last_line: int = 0
    children: dict[str, str | None] = {}
    redrive_time: int = 0
    redrives: int = 0
    before: int = 0
    is_ending: bool | None = None


def _as_it_is(type_: type, value: Any) -> Any:
    return value


_encoder = msgspec.json.Encoder(enc_hook=enc_hook)
_decoder = msgspec.json.Decoder(Delta, dec_hook=dec_hook)


class _Log(msgspec.Struct):
    log: list[Entry] = []
    before: int = 0


_log_decoder = msgspec.json.Decoder(_Log)


def log_of(state: bytes) -> tuple[list[Entry], int]:
    """AWS's events in what a turn changed, and how many there were before; 0 too where an older version did not say."""
    found = _log_decoder.decode(state)
    return found.log, found.before


class Lines:
    """All lines of a run, and what changed since the last turn."""

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.values: dict[int, dict[str, Data]] = {}
        self.children: dict[str, str] = {}
        self.map_runs: dict[str, MapRun] = {}
        self.redrives = 0
        self.redrive_time = 0
        self.last_line = 0
        self.last_event = 0
        self.is_ending = False
        self.execution: Execution | None = None
        self._delta = Delta()
        self._log: list[Any] = []
        self._changed: set[int] = set()
        self._saved: dict[int, tuple[Data, dict[str, Any]]] = {}

    # --- from saved turns

    def fold(self, state: bytes) -> None:
        """Take over what an older turn changed."""
        delta = _decoder.decode(state)
        self.last_event += len(delta.log)
        for line_id, line in delta.lines.items():
            if line is None:
                self.lines.pop(line_id, None)
                self.values.pop(line_id, None)
            else:
                before = self.lines.get(line_id)
                large = (before.input, before.variables) if before is not None else (NOTHING, {})
                self.lines[line_id] = msgspec.convert([*line, *large], Line, dec_hook=_as_it_is, str_keys=True)
        for line_id, input in delta.inputs.items():
            self.lines[line_id].input = input
        for line_id, variables in delta.variables.items():
            self.lines[line_id].variables = variables
        self.map_runs.update(delta.map_runs)
        for line_id in delta.cleared:
            self.values.pop(line_id, None)
        for line_id, values in delta.values.items():
            if line_id in self.lines:
                self.values.setdefault(line_id, {}).update(values)
        for line_id in delta.lines:
            if line_id in self.lines:
                self._saved[line_id] = (self.lines[line_id].input, self.lines[line_id].variables)
            else:
                self._saved.pop(line_id, None)
        if delta.redrive_time:
            self.redrives = delta.redrives or self.redrives + 1
            self.redrive_time = delta.redrive_time
        if delta.is_ending is not None:
            self.is_ending = delta.is_ending
        self.last_line = max(self.last_line, delta.last_line)
        if delta.execution is not None:
            self.execution = delta.execution
        for workflow_id, name in delta.children.items():
            if name is None:
                self.children.pop(workflow_id, None)
            else:
                self.children[workflow_id] = name

    # --- in a turn

    def add(self, line: Line) -> None:
        """A line begins."""
        self.lines[line.id] = line
        self._changed.add(line.id)

    def new_id(self) -> int:
        """A number for a line."""
        self.last_line += 1
        self._delta.last_line = self.last_line
        return self.last_line

    def change(self, line: Line) -> None:
        """The line is another than before."""
        self._changed.add(line.id)

    def remove(self, line_id: int) -> None:
        """A line is over."""
        if self.lines.pop(line_id, None) is not None:
            self.values.pop(line_id, None)
            self._delta.values.pop(line_id, None)
            self._changed.add(line_id)

    def keep(self, line_id: int, name: str, value: Data) -> None:
        """Save a value with a line."""
        self.values.setdefault(line_id, {})[name] = value
        self._delta.values.setdefault(line_id, {})[name] = value

    def clear(self, line_id: int) -> None:
        """The values of a line are not needed any more."""
        if self.values.pop(line_id, None) is not None:
            self._delta.values.pop(line_id, None)
            self._delta.cleared.append(line_id)

    def change_map_run(self, run: MapRun) -> None:
        """A Map run stands otherwise than before."""
        self.map_runs[run.arn] = run
        self._delta.map_runs[run.arn] = run

    def begin_child(self, workflow_id: str, name: str) -> None:
        """A line waits for a child workflow, under this name."""
        self.children[workflow_id] = name
        self._delta.children[workflow_id] = name

    def end_child(self, workflow_id: str) -> None:
        """A child workflow has closed."""
        if self.children.pop(workflow_id, None) is not None:
            self._delta.children[workflow_id] = None

    def end_early(self, is_ending: bool) -> None:
        """The execution is to end at its next state, or is not any more."""
        if is_ending is not self.is_ending:
            self.is_ending = self._delta.is_ending = is_ending

    def redrive(self, now_ns: int) -> int:
        """The execution goes on after it had failed; how often it has."""
        self.redrives += 1
        self._delta.redrives = self.redrives
        self.redrive_time = self._delta.redrive_time = now_ns
        return self.redrives

    def tell(self, other: "Lines") -> None:
        """Take over the events that another one, which began as this does, has seen happen."""
        self._log = other._log
        self.last_event = other.last_event

    def pin(self, execution: Execution) -> None:
        """Save what the run goes by."""
        self.execution = self._delta.execution = execution

    def record(self, type: str, previous: int, details: dict[str, msgspec.Raw]) -> int:
        """One of AWS's events happens; its number."""
        self._log.append(Entry(type, previous, details))
        self.last_event += 1
        return self.last_event

    def record_json(self, entry: bytes) -> int:
        """The same, of an ``Entry`` that is JSON already."""
        self._log.append(msgspec.Raw(entry))
        self.last_event += 1
        return self.last_event

    def take(self) -> bytes:
        """What changed since the last time, to be saved."""
        delta = self._delta
        delta.log = self._log
        if self._log:
            delta.before = self.last_event - len(self._log)
        for line_id in self._changed:
            line = self.lines.get(line_id)
            if line is None:
                delta.lines[line_id] = None
                self._saved.pop(line_id, None)
                continue
            delta.lines[line_id] = list(msgspec.structs.astuple(line)[: -len(LARGE)])
            input, variables = self._saved.get(line_id, (NOTHING, None))
            if line.input is not input:
                delta.inputs[line_id] = line.input
            if line.variables is not variables and (line.variables or variables):
                delta.variables[line_id] = line.variables
            self._saved[line_id] = (line.input, line.variables)
        saved = _encoder.encode(delta)
        self._delta, self._log = Delta(), []
        self._changed.clear()
        return saved if len(saved) > 2 else b""
