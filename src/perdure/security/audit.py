"""The audit log: every refusal and every administrative act, in entries that are chained by their hashes.

An entry is an object of JSON. Its ``hash`` is the SHA-256 of the entry without it, written canonically (keys sorted, no
spaces); ``prev`` is the hash of the entry before. So an entry that was changed, removed or put in between breaks the
chain from there on, and ``verify`` says where. Whoever can write to the store could compute the whole chain anew, or cut
off its end; against that, the head - the number and hash of the last entry - is to be kept elsewhere: the server logs it
whenever it opens the log, ``perdure audit verify`` prints it, and ``--expect`` compares with one that was kept.

An administrative act is written down before it is done, and is not done if that fails; if the act fails, a second entry
says so. Refusals are written behind the answer. Since anybody can cause them, they must not fill the disk: equal ones (who,
from where, what) within a minute become one entry with a count, and of all together no more than one a second is
written in the long run; beyond that they are counted as ``others``.

Entries are kept in segments, so that opening the log reads only the last one.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from perdure.engine.rates import Bucket
from perdure.model.errors import InvalidArgumentError, PerdureError
from perdure.security.documents import Documents

log = logging.getLogger("perdure.security")

SEGMENTS = "audit.segments"
SEGMENT_SIZE = 5_000
GENESIS = "0" * 64

WINDOW_NS = 60 * 10**9
MOST_KINDS = 1_000
"""So many different refusals are told apart within a window."""
BURST = 200.0
PER_SECOND = 1.0
LONGEST = 200
"""Characters of a text that comes from a caller."""


class Head(msgspec.Struct, frozen=True):
    """The end of a log: how many entries it has, and the hash of the last."""

    count: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.count}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """What ``str`` gave. Raises ``InvalidArgumentError``."""
        count, _, hash = text.strip().partition(":")
        if not count.isdecimal() or len(hash) != 64 or set(hash) - set("0123456789abcdef"):
            raise InvalidArgumentError(
                f"{text!r:.100} is no head of an audit log: it is a number, a colon and 64 hexadecimal digits, as "
                "perdure audit verify prints it."
            )
        return cls(int(count), hash)


class Verdict(msgspec.Struct, frozen=True):
    """What was found of a log: its ``head`` as far as it is good, and ``problem``, empty if all is good."""

    head: Head
    problem: str = ""


Entry = dict[str, Any]


def seal(content: Mapping[str, Any], head: Head) -> Entry:
    """The entry that follows a head."""
    entry = {"seq": head.count + 1, "prev": head.hash, **content}
    return {**entry, "hash": _hash(entry)}


def verify(entries: Iterable[bytes], expected: Head | None = None) -> Verdict:
    """Whether a log is whole and unchanged.

    Args:
        entries: as they are stored, in order.
        expected: a head that was kept: the log must still have that entry.
    """
    head = Head()
    for data in entries:
        place = f"entry {head.count + 1}"
        try:
            entry = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return Verdict(head, f"{place} is no JSON: it was changed")
        if not isinstance(entry, dict) or entry.get("seq") != head.count + 1:
            found = entry.get("seq") if isinstance(entry, dict) else None
            return Verdict(head, f"{place} is missing, or one was put in: the next has the number {found!r:.50}")
        if entry.get("prev") != head.hash:
            return Verdict(head, f"{place} does not follow the one before it: that one, or this one, was changed")
        if entry.get("hash") != _hash({name: value for name, value in entry.items() if name != "hash"}):
            return Verdict(head, f"{place} was changed")
        head = Head(head.count + 1, entry["hash"])
        if expected is not None and head.count == expected.count and head.hash != expected.hash:
            return Verdict(head, f"{place} is another one than the one expected: the log was written anew")
    if expected is not None and head.count < expected.count:
        return Verdict(
            head, f"the log ends with entry {head.count}, and {expected.count} were expected: its end was cut off"
        )
    return Verdict(head)


class AuditLog:
    """Of one store. ``now`` gives ns since 1970."""

    def __init__(self, documents: Documents, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now
        self._head = Head()
        self._lock = asyncio.Lock()
        self._counts: dict[tuple[str, ...], int] = {}
        self._contents: dict[tuple[str, ...], dict[str, Any]] = {}
        self._window_ends = 0
        self._bucket = Bucket(PER_SECOND, BURST)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def head(self) -> Head:
        """The end of the log."""
        return self._head

    async def open(self) -> None:
        """Find the end of the log. Raises ``StoreError``."""
        segments = await self._documents.documents(SEGMENTS)
        for segment, _ in reversed(segments):
            entries = await self._documents.documents(segment)
            if entries:
                last = msgspec.json.decode(entries[-1][1])
                self._head = Head(last["seq"], last["hash"])
                break
        log.info("The audit log has %d entries, its head is %s", self._head.count, self._head)

    async def close(self) -> None:
        """Write down what was counted."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        self.flush()
        await asyncio.gather(*self._tasks, *self._writing, return_exceptions=True)

    # --- administrative acts

    async def record(self, act: str, who: str, remote: str, **details: Any) -> None:
        """Write down an act before it is done. Raises ``StoreError``, and then it must not be done."""
        await self._append(self._content(act, who, remote, "allowed", details))

    async def failed(self, act: str, who: str, remote: str, error: BaseException, **details: Any) -> None:
        """An act that was written down has failed."""
        reason = {"error": type(error).__name__}
        await self._append(self._content(act, who, remote, "failed", {**details, **reason}))

    # --- refusals

    def refused(self, act: str, who: str, remote: str, reason: str, **details: Any) -> None:
        """Write down a refusal, soon. The first of its kind is written at once, further ones are counted."""
        now = self._now()
        if now >= self._window_ends:
            self.flush()
            self._window_ends = now + WINDOW_NS
        key: tuple[str, ...] = (act, who, remote, reason)
        if key in self._counts:
            self._counts[key] += 1
            return
        if len(self._counts) >= MOST_KINDS or self._bucket.take(now):
            key, content = ("others",), {"act": "others", "who": "", "remote": "", "outcome": "refused"}
            self._counts[key] = self._counts.get(key, 0) + 1
            self._contents[key] = content
        else:
            self._counts[key] = 0
            self._contents[key] = self._content(act, who, remote, "refused", {"reason": reason, **details})
            self._soon(self._contents[key])
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(WINDOW_NS / 1e9, self._flush_later)

    def flush(self) -> None:
        """Write down how often each refusal was repeated since it was first written."""
        counts, self._counts = self._counts, {}
        contents, self._contents = self._contents, {}
        for key, count in counts.items():
            if count:
                self._soon({**contents[key], "time": _time(self._now()), "count": count})

    def _flush_later(self) -> None:
        self._flushing = None
        self.flush()
        self._window_ends = 0

    def _soon(self, content: Entry) -> None:
        task = asyncio.get_running_loop().create_task(self._try_append(content))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_append(self, content: Entry) -> None:
        try:
            await self._append(content)
        except PerdureError as error:
            log.warning("A refusal could not be written to the audit log (%s): %s", error, content)

    # --- inside

    def _content(self, act: str, who: str, remote: str, outcome: str, details: Mapping[str, Any]) -> dict[str, Any]:
        content = {
            "time": _time(self._now()),
            "act": act,
            "who": _short(who),
            "remote": _short(remote),
            "outcome": outcome,
        }
        return {**content, **{name: _short(value) for name, value in details.items() if value not in ("", None)}}

    async def _append(self, content: Entry) -> None:
        # Whoever asked may go away meanwhile; the entry is finished all the same, or the chain would not know of it.
        task = asyncio.get_running_loop().create_task(self._write(content))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.shield(task)

    async def _write(self, content: Entry) -> None:
        async with self._lock:
            entry = seal(content, self._head)
            number = entry["seq"]
            segment = segment_of(number)
            if (number - 1) % SEGMENT_SIZE == 0:
                await self._documents.set_document(SEGMENTS, segment, b"{}")
            await self._documents.set_document(segment, f"{number:015d}", canonical(entry))
            self._head = Head(number, entry["hash"])


def segment_of(number: int) -> str:
    """The kind of document that an entry is kept as."""
    return f"audit.{(number - 1) // SEGMENT_SIZE:09d}"


async def stored_entries(documents: Documents) -> list[bytes]:
    """All entries of a store's log, in order. Raises ``StoreError``."""
    return [
        data for segment, _ in await documents.documents(SEGMENTS) for _, data in await documents.documents(segment)
    ]


def entries_of(read: Callable[[str], Iterable[tuple[str, bytes]]]) -> Iterator[bytes]:
    """The same from a reader: ``read`` gives the documents of a kind."""
    for segment, _ in read(SEGMENTS):
        for _, data in read(segment):
            yield data


def canonical(entry: Mapping[str, Any]) -> bytes:
    """An entry as it is stored and hashed."""
    return msgspec.json.encode(entry, order="sorted")


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(entry)).hexdigest()


def _time(now: int) -> str:
    moment = datetime.fromtimestamp(now // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now % 10**9:09d}Z"


def _short(value: Any) -> Any:
    if isinstance(value, (int, bool)):
        return value
    text = value if isinstance(value, str) else str(value)
    # A text that can't be encoded must not keep the entry from being written.
    text = text.encode(errors="replace").decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
