"""What the engine needs from outside: somewhere to write, and the time.

A store is rows and transactions. It decides nothing and understands no record: histories are bytes to it.
``tests/conformance`` is the port's definition; every store passes it.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Protocol

import msgspec

from perdure.model.errors import StoreError
from perdure.model.figures import Figures
from perdure.model.options import RunStatus
from perdure.model.search import AttributeType, AttributeTypes, Group, Place, Query
from perdure.model.service import Namespace
from perdure.model.task_queues import TaskQueue


class RunRow(msgspec.Struct, gc=False):
    """A run as the store sees it. ``key`` is its number in the store, given by the engine, growing with each start.

    Times are ns since 1970, 0 while not so. ``memo``, ``search_attributes`` and ``parent`` are MessagePack, empty for
    none. ``build_id`` names the code that took the last turn.
    """

    key: int
    namespace: str
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: RunStatus
    start_time: int
    close_time: int = 0
    history_length: int = 0
    memo: bytes = b""
    search_attributes: bytes = b""
    parent: bytes = b""
    build_id: str = ""


class TaskRow(msgspec.Struct, frozen=True, gc=False):
    """Work that a run waits for a worker to do. ``ref`` is the activity's scheduled event id, 0 for a workflow task.

    ``started`` says that a worker has it. ``due`` (ns since 1970, 0 for never) is when something must happen to it:
    its next attempt, or a timeout. ``placement`` is MessagePack, empty for none.
    """

    key: int
    ref: int
    task_queue: str
    type: str
    started: bool
    due: int
    placement: bytes = b""


class TimerRow(msgspec.Struct, frozen=True, gc=False, order=True):
    """A run must be woken at ``due`` (ns since 1970). ``ref`` is the timer's name in the run."""

    due: int
    key: int
    ref: int


class Write(msgspec.Struct, gc=False):
    """All that one commit of one run changes, all or nothing.

    ``number`` counts the run's commits from 1; that the store holds exactly ``number - 1`` of them is checked, so two
    owners can't both write. ``number`` 0 means that no history comes with it and nothing is checked. ``created`` is
    the whole row of a new run; ``changed`` the row of an old one whose status, close time, length, memo, search
    attributes or build id are no longer as stored; nothing else in it is. That there is no such run yet, or is one, is
    checked as well. What is done goes first, then what is new is put: a task that is both done and among ``tasks`` is there
    afterwards. A task or timer or message that is there already is replaced; one that is done and not there is no
    error. ``blobs`` are large payloads that ``records`` names by digest; they are kept while any run names them.
    ``entries`` is everything that the run is found by, in place of what it was found by until then; None leaves it as
    it is. Each is of an attribute whose type is stored, or among ``attribute_types``; a type that is there already
    stays.
    """

    key: int
    number: int
    records: bytes = b""
    created: RunRow | None = None
    changed: RunRow | None = None
    tasks: Sequence[TaskRow] = ()
    tasks_done: Sequence[int] = ()
    timers: Sequence[tuple[int, int]] = ()
    """``(due, ref)`` pairs to set."""
    timers_done: Sequence[tuple[int, int]] = ()
    """``(due, ref)`` pairs to drop."""
    messages: Sequence[tuple[int, bytes]] = ()
    """``(ref, message)`` pairs for the outbox; one with the same ref is replaced."""
    messages_done: Sequence[int] = ()
    blobs: Sequence[tuple[bytes, bytes]] = ()
    """``(sha256 digest, data)`` pairs."""
    entries: Set[tuple[str, str | int | float]] | None = None
    """``(attribute, value)`` pairs, see ``kernel.search_attribute.entries``."""
    attribute_types: Sequence[tuple[str, str, AttributeType]] = ()
    """``(namespace, attribute, type)``."""


class StoredRun(msgspec.Struct, frozen=True, gc=False):
    """A run's row and its commits' records, in order."""

    row: RunRow
    commits: Sequence[bytes]
    is_last: bool = False
    """Whether it is the last started run of its workflow id. Where that is not known without looking, ``find`` says it."""


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    key: int
    ref: int
    message: bytes


class Opened(msgspec.Struct, frozen=True, gc=False):
    """What an engine learns when it takes a store: its fencing ``epoch`` and the first free run key."""

    epoch: int
    next_key: int


Done = Callable[[StoreError | None], None]


class Store(Protocol):
    """Where everything is kept. All methods are called on the engine's thread, where callbacks come too.

    Reads see every write whose ``done`` has been called. Reads with a callback may call it before they return; the
    awaitable ones may take long and must not hold up the engine's thread.
    """

    async def open(self) -> Opened:
        """Take ownership. Raises ``StoreLockedError``, ``StoreVersionError``, ``StoreCorruptError`` or
        ``StoreError``."""
        ...

    async def close(self) -> None:
        """Finish writing and give up ownership."""
        ...

    def write(self, batch: Sequence[Write], done: Done) -> None:
        """Make a batch durable in one transaction, then call ``done(None)``; or change nothing and call
        ``done(error)``.

        Batches are written in the order of the calls, the writes of a batch in their order, each on top of those
        before: a batch may hold several commits of a run. ``done`` never comes before ``write`` returns. The batch,
        and all in it, belongs to the store from then on. ``StoreConflictError`` means that a write did not fit what
        is stored, or that someone else took the store; any other ``StoreError`` that it can't be written now (a full
        disk) and may be later.
        """
        ...

    def find(
        self, namespace: str, workflow_id: str, run_id: str, then: Callable[[RunRow | StoreError | None], None]
    ) -> None:
        """A run's row; with an empty ``run_id`` that of the last started run of the workflow id, which is the one
        with the highest key. None if there is none."""
        ...

    def read(self, key: int, then: Callable[[StoredRun | StoreError | None], None]) -> None:
        """A run with its whole history."""
        ...

    def read_many(self, keys: Sequence[int], then: Callable[[Sequence[StoredRun] | StoreError], None]) -> None:
        """Some runs at once, in any order; those that are not there are left out."""
        ...

    async def history(self, key: int, skipped: int = 0) -> StoredRun | None:
        """As ``read``, for callers that can wait. The first ``skipped`` commits are left out."""
        ...

    async def blob(self, digest: bytes) -> bytes | None:
        """A large payload."""
        ...

    def blobs(self, digests: Sequence[bytes], then: Callable[[dict[bytes, bytes] | StoreError], None]) -> None:
        """Large payloads, for a run that is being loaded; those that are not there are left out."""
        ...

    async def runs(self, namespace: str, query: Query, after: Place | None, limit: int) -> Sequence[RunRow]:
        """The query's runs in its order, from behind ``after``. ``engine.search.evaluate`` says what that means."""
        ...

    async def count(self, namespace: str, query: Query) -> Sequence[Group]:
        """How many runs the query has, in each of its groups; in no particular order. Without groups: one answer."""
        ...

    async def attribute_types(self) -> Mapping[str, AttributeTypes]:
        """The types of custom search attributes, by namespace; ``REMOVED`` for those that were."""
        ...

    async def set_attribute_type(self, namespace: str, name: str, type: AttributeType) -> None:
        """Give an attribute this type instead of the one that it has; ``REMOVED`` for none. From then on runs are found by
        what their rows hold of that type, and by nothing else of it."""
        ...

    async def tasks(self, after: tuple[int, int], limit: int) -> Sequence[TaskRow]:
        """Tasks in the order of (key, ref), from behind ``after``."""
        ...

    async def timers(self, until: int, after: TimerRow | None, limit: int) -> Sequence[TimerRow]:
        """Timers due at or before ``until``, in order, from behind ``after``."""
        ...

    async def messages(self, after: tuple[int, int], limit: int) -> Sequence[MessageRow]:
        """The outbox in the order of (key, ref), from behind ``after``."""
        ...

    async def figures(self, now: int, days: int) -> Figures:
        """What it holds at ``now`` (ns since 1970), with what happened on the last so many days. Looks at every run."""
        ...

    async def closed_before(self, namespace: str, close_time: int, limit: int) -> Sequence[int]:
        """Keys of runs that closed before a time and can be deleted, in no particular order."""
        ...

    def delete(self, keys: Sequence[int], done: Done) -> None:
        """Remove runs, with their history, tasks, timers, messages, and blobs that no other run names.

        Each run goes as a whole or not at all, but not all need go in one transaction. Keys that are not there are no
        error, and are not given out again. In order with writes for the first run only: do not write to runs that are
        being deleted.
        """
        ...

    async def namespaces(self) -> Sequence[Namespace]:
        """All of them, by name; ``default`` is always there."""
        ...

    async def set_namespace(self, namespace: Namespace) -> None:
        """Create or replace one."""
        ...

    async def delete_namespace(self, name: str) -> None:
        """Remove one, with the types of its search attributes and the settings of its task queues. It has no runs."""
        ...

    async def task_queues(self) -> Sequence[TaskQueue]:
        """What is set about task queues, by namespace and name."""
        ...

    async def set_task_queue(self, task_queue: TaskQueue) -> None:
        """Create or replace one's settings."""
        ...

    async def documents(self, kind: str) -> Sequence[tuple[str, bytes]]:
        """What was set of a kind: keys with data, in the keys' order."""
        ...

    async def set_document(self, kind: str, key: str, data: bytes | None) -> None:
        """Create or replace something small that is no run: a token, a webhook. None for ``data`` removes it.

        Kinds belong to the rooms that keep them; a store does not know what they mean.
        """
        ...


class Clock(Protocol):
    """The only source of time. Callbacks come on the engine's thread."""

    def now_ns(self) -> int:
        """Now, in ns since 1970. Never goes back."""
        ...

    def call_at(self, due_ns: int, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back at ``due_ns`` or as soon after it as possible. Returns a function that cancels the call."""
        ...
