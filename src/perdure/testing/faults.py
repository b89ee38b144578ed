"""What goes wrong in an environment, and when.

Faults are numbered by what they hit: the n-th commit of the store, the n-th attempt of an activity. Whether one happens
is drawn from the seed, the kind and the number alone, so a seed says the same however often it is asked, and a fault
does not move because another one was added.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from random import Random
from typing import Literal

from perdure.model.errors import InvalidArgumentError

Kind = Literal["crash", "lose_worker", "delay", "double"]

KINDS: tuple[Kind, ...] = ("crash", "lose_worker", "delay", "double")
RATES = (0.08, 0.25, 0.6)
DELAYS_SECONDS = (0.1, 1.0, 15.0, 60.0, 600.0)
"""From a hiccup to longer than an attempt may usually take."""


class Faults:
    """Faults on demand, for ``environment(..., faults=...)``.

    With nothing but a seed, the seed draws them: which kinds, how often, at most ``at_most`` together. Seed 0 draws
    none, so what fails there fails without any fault. As soon as faults are given they are the only ones, and the seed
    draws their details alone.

    Args:
        seed: what is drawn, is drawn from this.
        crash_at_commit: the engine, its worker and its client end at these commits (from 1) without a word. The seed
            draws whether the commit is lost with them, or was written and nothing of what it says was done yet. A new
            engine opens the same store, and whoever waited waits on.
        lose_worker: the worker is lost while it runs these attempts (from 1, of any activity). The seed draws whether
            the attempt had not begun, or had done all its work and only could not say so. All that it runs is tried
            again, as ``WorkerLost``.
        delay_completion: how long the end of these attempts is under way, by their number; a timedelta or seconds.
            Where that is longer than a time-out, the attempt is over, and its end comes too late.
        double_completion: the ends of these attempts are reported twice.
        at_most: how many faults a seed may draw.

    Attributes:
        happened: what was done so far, in order, in words.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        crash_at_commit: Collection[int] = (),
        lose_worker: Collection[int] = (),
        delay_completion: Mapping[int, timedelta | float] | None = None,
        double_completion: Collection[int] = (),
        at_most: int = 3,
    ) -> None:
        self.seed = seed
        self.at_most = at_most
        self.happened: list[str] = []
        self._delays = {number: _seconds(delay) for number, delay in (delay_completion or {}).items()}
        self._given: dict[Kind, frozenset[int]] = {
            "crash": _numbers("crash_at_commit", crash_at_commit),
            "lose_worker": _numbers("lose_worker", lose_worker),
            "delay": _numbers("delay_completion", self._delays),
            "double": _numbers("double_completion", double_completion),
        }
        self._is_given = any(self._given.values())
        self._rates = {} if self._is_given or not seed else _draw_rates(seed)
        self._commits = 0
        self._attempts: list[str] = []

    def __repr__(self) -> str:
        return f"<faults of seed {self.seed}: {'; '.join(self.happened) or 'none so far'}>"

    # --- asked by the environment, at each place where something may go wrong

    def crash_at_next_commit(self) -> Literal["", "lost", "written"]:
        """Whether the next commit is the last thing the engine does, and what becomes of it."""
        self._commits += 1
        number = self._commits
        if not self._strikes("crash", number):
            return ""
        is_lost = self._draw("crash", number, "lost").random() < 0.5
        fate = "which was lost" if is_lost else "which was written, but not acted on"
        self.happened.append(f"the engine crashed at commit {number}, {fate}")
        return "lost" if is_lost else "written"

    def next_attempt(self, activity_type: str) -> int:
        """The number of an attempt that starts now."""
        self._attempts.append(activity_type)
        return len(self._attempts)

    def lose_worker(self, attempt: int) -> Literal["", "before", "after"]:
        """Whether the worker is lost with this attempt, and before or after it does its work."""
        if not self._strikes("lose_worker", attempt):
            return ""
        is_before = self._draw("lose_worker", attempt, "before").random() < 0.5
        when = "before it did anything" if is_before else "after it was done, before it was reported"
        self.happened.append(f"the worker was lost with attempt {attempt} ({self._attempts[attempt - 1]}), {when}")
        return "before" if is_before else "after"

    def delay_seconds(self, attempt: int) -> float:
        """How long the end of this attempt is under way."""
        if not self._strikes("delay", attempt):
            return 0.0
        drawn = self._draw("delay", attempt, "seconds").choice(DELAYS_SECONDS)
        seconds = self._delays.get(attempt, drawn)
        self.happened.append(f"the end of attempt {attempt} ({self._attempts[attempt - 1]}) came {seconds:g} s late")
        return seconds

    def is_doubled(self, attempt: int) -> bool:
        """Whether the end of this attempt is reported twice."""
        if not self._strikes("double", attempt):
            return False
        self.happened.append(f"the end of attempt {attempt} ({self._attempts[attempt - 1]}) was reported twice")
        return True

    # --- drawing

    def _strikes(self, kind: Kind, number: int) -> bool:
        if self._is_given:
            return number in self._given[kind]
        rate = self._rates.get(kind)
        if rate is None or len(self.happened) >= self.at_most:
            return False
        return self._draw(kind, number, "strikes").random() < rate

    def _draw(self, kind: Kind, number: int, what: str) -> Random:
        return Random(f"{self.seed}/{kind}/{number}/{what}")


def _draw_rates(seed: int) -> dict[Kind, float]:
    """Not everything at once: a seed that only crashes finds what one of all kinds together would not reach."""
    draw = Random(f"{seed}/rates")
    return {kind: draw.choice(RATES) for kind in draw.sample(KINDS, draw.randint(1, len(KINDS)))}


def _numbers(name: str, numbers: Collection[int]) -> frozenset[int]:
    if wrong := [number for number in numbers if not isinstance(number, int) or number < 1]:
        raise InvalidArgumentError(f"Faults({name}=...) takes numbers that count from 1, not {wrong[0]!r}")
    return frozenset(numbers)


def _seconds(delay: timedelta | float) -> float:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
    if seconds < 0:
        raise InvalidArgumentError(f"Faults(delay_completion=...): {delay!r} is in the past")
    return seconds
