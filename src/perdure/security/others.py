"""Refusals that come faster than they are written down: counted, and written down together with who came, from where, for what.

So nobody who is known hides their own refusals behind a flood of somebody else's. Memory and entry have bounds all the same:
beyond so many callers, further ones are a number; those who have got in and those who have not do not crowd each other out.
"""

from collections import Counter

MOST_CALLERS = 1_000
"""Who and from where; so many who have got in are told apart in a minute, and so many others."""
MOST_NAMED = 100
"""So many of them an entry names: those who were refused most often."""
MOST_ACTS = 8
"""So many things that one caller was refused an entry names."""
LONGEST = 60
"""Characters of a name or an address in the entry."""


class Others:
    """Of one minute."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Counter[str]] = {}
        self._unknown: dict[tuple[str, str], Counter[str]] = {}
        self._strangers = 0
        """Refusals of those who came when there were too many already."""

    def add(self, act: str, who: str, remote: str) -> None:
        """One more."""
        callers = self._known if who else self._unknown
        acts = callers.get((who, remote))
        if acts is None:
            if len(callers) >= MOST_CALLERS:
                self._strangers += 1
                return
            acts = callers[who, remote] = Counter()
        acts[act if act in acts or len(acts) < MOST_ACTS else "others"] += 1

    @property
    def count(self) -> int:
        """How many there were."""
        return self._strangers + sum(acts.total() for acts in (*self._known.values(), *self._unknown.values()))

    @property
    def callers(self) -> str:
        """Who they were: ``ann from 10.0.0.7: list 30, start 2; nobody from 10.0.0.8: authenticate 5; and 7 of others``."""
        ranked = [
            caller
            for callers in (self._known, self._unknown)
            for caller in sorted(callers.items(), key=lambda item: -item[1].total())
        ]
        parts = [
            f"{who[:LONGEST] or 'nobody'} from {remote[:LONGEST] or 'nowhere'}: "
            + ", ".join(f"{act} {count}" for act, count in acts.most_common())
            for (who, remote), acts in ranked[:MOST_NAMED]
        ]
        left = self._strangers + sum(acts.total() for _, acts in ranked[MOST_NAMED:])
        return "; ".join([*parts, f"and {left} of others"] if left else parts)
