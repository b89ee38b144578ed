"""The audit log: every refusal and every administrative act, in entries that are chained by their hashes.

``chain`` says what an entry is, and how a log is verified. Whoever can write to the store could compute the whole chain anew, or cut
off its end; against that, the head - the number and hash of the last entry - is to be kept elsewhere: the server logs it
whenever it opens the log, ``perdure audit verify`` prints it, and ``--expect`` compares with one that was kept.

An administrative act is written down before it is done, and is not done if that fails; if the act fails, a second entry
says so. Refusals are written behind the answer. Since anybody can cause them, they must not fill the disk: equal ones (who,
from where, what) within a minute become one entry with a count, and of all together no more than one a second is
written in the long run; beyond that one entry a minute, ``others``, counts them by who came, from where and for what.

Entries are kept in segments, so that opening the log reads only the last one.

Old entries may be pruned. First an entry is written that names the last one to go; it stands for what was cut off. Then they
are removed one after another, the oldest first, so that what is left follows from one another whenever that is interrupted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from perdure.engine.rates import Bucket
from perdure.model.errors import InvalidArgumentError, PerdureError, StoreCorruptError
from perdure.security.chain import PRUNE, Entry, Head, canonical, head_before, problem_of, seal
from perdure.security.documents import Documents
from perdure.security.others import Others
from perdure.security.redaction import redacted

log = logging.getLogger("perdure.security")

SEGMENTS = "audit.segments"
SEGMENT_SIZE = 5_000
WINDOW_NS = 60 * 10**9
MOST_KINDS = 1_000
"""So many different refusals are told apart within a window."""
BURST = 200.0
PER_SECOND = 1.0
PRUNE_EVERY_SECONDS = 3600.0
LONGEST = 200
"""Characters of a text that comes from a caller."""


class AuditLog:
    """Of one store. ``now`` gives ns since 1970."""

    def __init__(self, documents: Documents, now: Callable[[], int]) -> None:
        self._documents = documents
        self._now = now
        self._head = Head()
        self._lock = asyncio.Lock()
        self._counts: dict[tuple[str, ...], int] = {}
        self._contents: dict[tuple[str, ...], dict[str, Any]] = {}
        self._others = Others()
        self._window_ends = 0
        self._bucket = Bucket(PER_SECOND, BURST)
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._flushing: asyncio.TimerHandle | None = None
        self._pruning: asyncio.Task[None] | None = None

    @property
    def head(self) -> Head:
        """The end of the log."""
        return self._head

    async def open(self, retention_ns: int = 0) -> None:
        """Find the end of the log. Raises ``StoreError``.

        Args:
            retention_ns: entries that are older are removed, now and every hour; 0 keeps them for ever.
        """
        segments = await self._documents.documents(SEGMENTS)
        for segment, _ in reversed(segments):
            entries = await self._documents.documents(segment)
            if entries:
                self._head = _head_of(*entries[-1])
                break
        log.info("The audit log has %d entries, its head is %s", self._head.count, self._head)
        if retention_ns:
            self._pruning = asyncio.get_running_loop().create_task(self._prune_now_and_then(retention_ns))

    async def close(self) -> None:
        """Write down what was counted."""
        if self._pruning is not None:
            self._pruning.cancel()
            await asyncio.wait([self._pruning])
            self._pruning = None
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
            self._others.add(act, who, remote)
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
        others, self._others = self._others, Others()
        for key, count in counts.items():
            if count:
                self._soon({**contents[key], "time": _time(self._now()), "count": count})
        if others.count:
            content = self._content("others", "", "", "refused", {"count": others.count})
            # Longer than what one caller can make an entry.
            self._soon({**content, "callers": redacted(others.callers.encode(errors="replace").decode())})

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

    # --- what is old

    async def prune(self, before: int, who: str, remote: str) -> int:
        """Remove the entries that are older than a time.

        Args:
            before: ns since 1970.
            who, remote: who asks, and from where.

        Returns:
            How many were removed.

        Raises:
            StoreCorruptError: they are not as they were written, so they stay: they are the proof.
            StoreError: it was not finished; the next time goes on. What is left can be verified all the same.
        """
        limit, old, last = _time(before), 0, Head()
        async for _, _, entry in self._stored():
            if str(entry.get("time", "")) >= limit:
                break
            old, last = old + 1, Head(entry["seq"], entry["hash"])
        if not old:
            return 0
        await self.record(PRUNE, who, remote, pruned_to=str(last), entries=old, before=limit)
        emptied = ""
        async for segment, key, entry in self._stored():
            if emptied and segment != emptied:
                await self._documents.set_document(SEGMENTS, emptied, None)
            if entry["seq"] > last.count:
                break
            await self._documents.set_document(segment, key, None)
            emptied = segment
        return old

    async def _prune_now_and_then(self, retention_ns: int) -> None:
        while True:
            try:
                pruned = await self.prune(self._now() - retention_ns, "perdure", "")
            except PerdureError as error:
                log.error("Old entries of the audit log could not be removed: %s", error)
            else:
                if pruned:
                    log.info("%d old entries of the audit log were removed, its head is %s", pruned, self._head)
            await asyncio.sleep(PRUNE_EVERY_SECONDS)

    async def _stored(self) -> AsyncIterator[tuple[str, str, Entry]]:
        """Segment, key and content of the entries, the oldest first. Raises ``StoreCorruptError`` at one that is not good."""
        head: Head | None = None
        for segment, _ in await self._documents.documents(SEGMENTS):
            for key, data in await self._documents.documents(segment):
                try:
                    entry = msgspec.json.decode(data)
                except msgspec.DecodeError:
                    entry = None
                head = head or head_before(entry) or Head()
                if problem := problem_of(entry, head):
                    raise StoreCorruptError(f"The audit log is not as it was written: {problem}.")
                yield segment, key, entry
                head = Head(entry["seq"], entry["hash"])

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


def _head_of(key: str, data: bytes) -> Head:
    """Of the last entry."""
    try:
        last = msgspec.json.decode(data)
        return Head.parse(f"{last['seq']}:{last['hash']}")
    except (msgspec.DecodeError, KeyError, TypeError, InvalidArgumentError):
        raise StoreCorruptError(
            f"The last entry of the audit log, {int(key)}, can't be read, so none can follow it: it was changed outside of "
            "Perdure. See perdure audit verify, and restore a backup."
        ) from None


def _time(now: int) -> str:
    moment = datetime.fromtimestamp(now // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{now % 10**9:09d}Z"


def _short(value: Any) -> Any:
    if isinstance(value, (int, bool)):
        return value
    text = value if isinstance(value, str) else str(value)
    # A text that can't be encoded must not keep the entry from being written.
    text = redacted(text.encode(errors="replace").decode())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
