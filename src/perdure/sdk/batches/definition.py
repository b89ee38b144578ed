"""What a batch is, as it is stored: the arguments and answers of the workflow ``perdure.batch``.

All of it is JSON in histories, read by later versions too: fields may be added with defaults, none renamed or removed.
"""

from typing import Union

import msgspec

from perdure.model.payloads import PayloadMap, Payloads

WORKFLOW_TYPE = "perdure.batch"
STATE_QUERY = "look"
MEMO = "batch"

MOST_FAILURES = 100
"""So many are remembered with their reasons; all are counted."""


class Signal(msgspec.Struct, frozen=True, tag=True):
    """Send a signal to each run."""

    name: str
    input: Payloads = ()
    header: PayloadMap | None = None


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Ask each run to stop."""

    reason: str = ""


class Terminate(msgspec.Struct, frozen=True, tag=True):
    """Close each run at once."""

    reason: str = ""
    details: Payloads = ()


class Reset(msgspec.Struct, frozen=True, tag=True):
    """Start each again from a copy of its history: from its first turn or, with ``to_last``, from its last one."""

    to_last: bool = False
    reason: str = ""


class Delete(msgspec.Struct, frozen=True, tag=True):
    """Remove each run for good."""


Operation = Union[Signal, Cancel, Terminate, Reset, Delete]  # noqa: UP007  # one name a line if it grows


def name_of(operation: Operation) -> str:
    """``signal``, ``cancel`` ..."""
    return operation.__class__.__name__.lower()


class Definition(msgspec.Struct, frozen=True):
    """What to do to which runs of a namespace: those of a filter or, with ``is_listed``, those that were named. ``statuses``
    are numbers of ``RunStatus``, none for any; ``rate`` is how many runs a second at most, 0 for no limit. ``reason`` and
    ``identity`` say why it was begun, and by whom."""

    namespace: str
    id: str
    operation: Operation
    filter: str = ""
    statuses: tuple[int, ...] = ()
    workflow_type: str = ""
    rate: float = 0.0
    is_listed: bool = False
    reason: str = ""
    identity: str = ""


class Target(msgspec.Struct, frozen=True):
    """A run that the filter named when it was looked for."""

    workflow_id: str
    run_id: str


class Failure(msgspec.Struct, frozen=True):
    """A run that it could not be done to, and why."""

    workflow_id: str
    run_id: str
    reason: str


class Counts(msgspec.Struct):
    """``total``: runs that the filter named in the beginning, -1 before they were counted. ``done``; ``skipped``: closed
    or gone before it was their turn; ``failed``."""

    total: int = -1
    done: int = 0
    skipped: int = 0
    failed: int = 0


class State(msgspec.Struct):
    """Where a batch stands. ``waiting`` were found and come next; behind them the search goes on at ``cursor``."""

    definition: Definition
    counts: Counts = msgspec.field(default_factory=Counts)
    waiting: list[Target] = msgspec.field(default_factory=list)
    cursor: str = ""
    is_last_page: bool = False
    failures: list[Failure] = msgspec.field(default_factory=list)


class Listed(msgspec.Struct, frozen=True):
    """What a list shows of a batch without asking it: its memo."""

    namespace: str
    id: str
    operation: str
    filter: str
    rate: float
    counts: Counts
    reason: str = ""
    identity: str = ""


# --- what the workflow asks of its activities


class AskRuns(msgspec.Struct, frozen=True):
    """Which runs come behind the cursor?"""

    definition: Definition
    cursor: str
    limit: int


class Found(msgspec.Struct, frozen=True):
    """``cursor`` is empty behind the last one."""

    runs: list[Target]
    cursor: str


class AskAct(msgspec.Struct, frozen=True):
    """Do it to these runs."""

    definition: Definition
    runs: list[Target]


class Acted(msgspec.Struct, frozen=True):
    """What became of them."""

    done: int
    skipped: int
    failures: list[Failure]


def system_workflow_id(namespace: str, batch_id: str) -> str:
    """The workflow id of a batch's own run."""
    return f"batch:{namespace}:{batch_id}"


def listed(state: State) -> Listed:
    """A batch's memo."""
    definition = state.definition
    return Listed(
        definition.namespace,
        definition.id,
        name_of(definition.operation),
        definition.filter,
        definition.rate,
        state.counts,
        definition.reason,
        definition.identity,
    )
