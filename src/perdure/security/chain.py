"""Entries that are chained by their hashes, and what proves that none was changed.

An entry is an object of JSON. Its ``hash`` is the SHA-256 of the entry without it, written canonically (keys sorted, no
spaces); ``prev`` is the hash of the entry before. So an entry that was changed, removed or put in between breaks the
chain from there on, and ``verify`` says where.

A chain may have lost its beginning if one of its entries says so: it names the last entry that was removed by number and
hash, and the first one that is left must follow that very one.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from perdure.model.errors import InvalidArgumentError

GENESIS = "0" * 64
PRUNE = "prune_audit"


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
    """What was found of a log: its ``head`` as far as it is good, and ``problem``, empty if all is good. The first so many
    were ``pruned``."""

    head: Head
    problem: str = ""
    pruned: int = 0


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
    head, base, is_accounted_for = Head(), Head(), True
    for number, data in enumerate(entries):
        try:
            entry = msgspec.json.decode(data)
        except msgspec.DecodeError:
            return Verdict(head, f"entry {head.count + 1} is no JSON: it was changed")
        if number == 0 and (found := head_before(entry)) is not None and found.count:
            # Its beginning is gone. A later entry must say so; until then what is here is believed of what was before.
            head, base, is_accounted_for = found, found, False
        if problem := problem_of(entry, head):
            return Verdict(head, problem)
        head = Head(head.count + 1, entry["hash"])
        is_accounted_for = is_accounted_for or _accounts_for(entry, base)
        if expected is not None and head.count == expected.count and head.hash != expected.hash:
            problem = f"entry {head.count} is another one than the one expected: the log was written anew"
            return Verdict(head, problem)
    if not is_accounted_for:
        return Verdict(head, f"entries 1 to {base.count} are missing, and no entry says that they were pruned")
    if expected is None:
        problem = ""
    elif head.count < expected.count:
        problem = f"the log ends with entry {head.count}, and {expected.count} were expected: its end was cut off"
    elif expected.count < base.count:
        problem = (
            f"entry {expected.count}, which was expected, has been pruned with all up to {base.count}; compare with a head "
            "that was kept later"
        )
    elif expected.count == base.count != 0 and expected.hash != base.hash:
        problem = f"entry {base.count}, pruned since, was another one than the one expected: the log was written anew"
    else:
        problem = ""
    return Verdict(head, problem, base.count)


def problem_of(entry: Any, head: Head) -> str:
    """Why an entry is not the one that follows a head; empty if it is."""
    place = f"entry {head.count + 1}"
    if not isinstance(entry, dict) or entry.get("seq") != head.count + 1:
        found = entry.get("seq") if isinstance(entry, dict) else None
        return f"{place} is missing, or one was put in: the next has the number {found!r:.50}"
    if entry.get("prev") != head.hash:
        return f"{place} does not follow the one before it: that one, or this one, was changed"
    if entry.get("hash") != _hash({name: value for name, value in entry.items() if name != "hash"}):
        return f"{place} was changed"
    return ""


def head_before(entry: Any) -> Head | None:
    """What the first entry that is left says of the one before."""
    try:
        return Head.parse(f"{entry['seq'] - 1}:{entry['prev']}")
    except (KeyError, TypeError, InvalidArgumentError):
        return None


def _accounts_for(entry: Entry, base: Head) -> bool:
    """Whether an entry says that all up to a head were pruned. It may say so of more, if that was not finished."""
    if entry.get("act") != PRUNE or entry.get("outcome") != "allowed":
        return False
    try:
        pruned = Head.parse(str(entry.get("pruned_to")))
    except InvalidArgumentError:
        return False
    return pruned == base or pruned.count > base.count


def canonical(entry: Mapping[str, Any]) -> bytes:
    """An entry as it is stored and hashed."""
    return msgspec.json.encode(entry, order="sorted")


def _hash(entry: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(entry)).hexdigest()
