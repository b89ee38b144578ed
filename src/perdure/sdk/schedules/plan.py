"""What a schedule does next: decided from where it stands and the time, and from nothing else.

A ``Plan`` does nothing itself. ``next_step`` says what is to be done, and whoever does it says what came of that:
``program``, or ``replayed`` for schedules whose run began before there was that program. It replaces values and alters
none, so that what has changed can be told.
"""

import msgspec

from perdure.model.options import RunStatus
from perdure.sdk.schedules.course import Course
from perdure.sdk.schedules.definition import (
    OPEN_LIMIT,
    RECENT,
    Answer,
    AskTimes,
    Backfill,
    Command,
    Outcome,
    Overlap,
    Pause,
    Replace,
    Resume,
    Started,
    State,
    Times,
    Trigger,
    Waiting,
)
from perdure.sdk.schedules.times import Occasion

BATCH = 20
"""So many times are found at once. With jitter, each may be moved by the next one alone, so a batch can end anywhere."""

STEPS = 100
"""After so many occasions the history is long enough to begin a new one."""

_UNLUCKY = (RunStatus.FAILED, RunStatus.TIMED_OUT)


class Deal(msgspec.Struct, frozen=True, gc=False):
    """Deal with an occasion; ``buffered`` others wait before it."""

    waiting: Waiting
    buffered: int


class Find(msgspec.Struct, frozen=True, gc=False):
    """Look for times. ``is_backfill``: those of a backfill."""

    ask: AskTimes
    is_backfill: bool = False


class Plan:
    """See the module."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.is_shown = True
        """Whether lists show of the schedule what is true."""

    def show(self) -> None:
        """What lists show of the schedule has changed."""
        self.is_shown = False

    def begin(self, now: int) -> None:
        """A run begins."""
        course = self.course
        # Times before its creation are not the schedule's; a client can't know the engine's time.
        course.cursor = course.cursor or now
        course.created = course.created or now
        if course.told:
            course.told, course.heard = [], [*course.told, *course.heard]

    # --- what is said to it

    def hear(self, now: int) -> None:
        """Go by all that was said."""
        course = self.course
        if course.closed:
            self._forget_closed()
        if course.heard:
            heard, course.heard = course.heard, []
            for command in heard:
                self.obey(command, now)

    def obey(self, command: Command, now: int) -> None:
        """Do what one is told."""
        course = self.course
        match command:
            case Pause(note):
                self._pause(note)
            case Resume(note):
                self._resume(now)
                course.note = note
            case Trigger(key, overlap, time):
                nominal = time or now
                while any(waiting.occasion.nominal == nominal for waiting in course.urgent):
                    nominal += 1000  # two at once are two runs, and a run's id is its time
                waiting = Waiting(Occasion(nominal, nominal), overlap or course.definition.overlap, key)
                course.urgent = [*course.urgent, waiting]
            case Backfill():
                course.backfills = [*course.backfills, command]
            case Replace(definition, is_paused, note, remaining):
                if remaining is not None:
                    allowed = course.counts.scheduled + remaining or -1
                    definition = msgspec.structs.replace(definition, max_runs=allowed)
                course.definition = definition
                course.cursor = max(course.cursor, now)
                self._look_anew()
                course.is_paused = course.is_paused if is_paused is None else is_paused
                course.note = course.note if note is None else note
                course.updated = now
        if not isinstance(command, (Trigger, Backfill)):
            course.revision += 1
            self.show()

    def replace(self, command: Replace, revision: int, now: int) -> bool:
        """Be another schedule, unless somebody else was faster: ``revision`` is the one that the caller has seen."""
        self.hear(now)
        if self.course.revision != revision:
            return False
        self.obey(command, now)
        return True

    def _pause(self, note: str) -> None:
        course = self.course
        course.is_paused, course.note = True, note
        course.upcoming = []

    def _resume(self, now: int) -> None:
        course = self.course
        if course.is_paused:
            # What came while it was paused was not to be.
            course.cursor = max(course.cursor, now)
            self._look_anew()
        course.is_paused = False

    def _look_anew(self) -> None:
        course = self.course
        course.upcoming = []
        course.is_last = course.has_looked = False

    def _forget_closed(self) -> None:
        course = self.course
        closed = {completion.first_run_id: completion for completion in course.closed}
        course.closed = []
        if course.definition.pause_on_failure and course.definition.overlap is not Overlap.ALLOW_ALL:
            for run in course.open:
                completion = closed.get(run.run_id)
                if completion is None or RunStatus(completion.status) not in _UNLUCKY:
                    continue
                why = "timeout" if RunStatus(completion.status) is RunStatus.TIMED_OUT else "failure"
                self._pause(f"paused due to workflow {why}: {run.workflow_id}")
                course.revision += 1
                self.show()
        course.open = [run for run in course.open if run.run_id not in closed]
        course.recent = [
            Started(run.workflow_id, run.run_id, run.nominal, run.time, closed[run.run_id].status)
            if run.run_id in closed
            else run
            for run in course.recent
        ]

    # --- what is to be done

    def next_step(self, now: int) -> Deal | Find | bool:
        """The first thing that can be done now; False if there is none, True if it is done already."""
        course = self.course
        if course.buffer and not course.open:
            first, *course.buffer = course.buffer
            return self._deal(first, 0)
        if course.urgent and self._may_go(course.urgent[0]):
            first, *course.urgent = course.urgent
            return self._deal(first, len(course.buffer))
        if not course.is_paused and self.has_more and not course.upcoming:
            if course.has_looked and course.steps:
                course.steps = STEPS  # the end of a batch is a good place to begin a new history
                return True
            definition, limit = course.definition, min(BATCH, self._runs_left)
            oldest = now - definition.catch_up
            return Find(AskTimes(definition.spec, definition.id, course.cursor, oldest, 0, limit))
        if not course.is_paused and course.upcoming and course.upcoming[0].due <= now:
            occasion, *course.upcoming = course.upcoming
            course.cursor = occasion.nominal
            if occasion.due < now - course.definition.catch_up:
                self._count(missed=1)
                return True
            return self._deal(Waiting(occasion, course.definition.overlap), len(course.buffer))
        if course.backfills and not course.urgent:
            backfill, definition = course.backfills[0], course.definition
            ask = AskTimes(definition.spec, definition.id, backfill.after, 0, backfill.until, BATCH)
            return Find(ask, is_backfill=True)
        return False

    def _deal(self, waiting: Waiting, buffered: int) -> Deal:
        self.course.steps += 1
        return Deal(waiting, buffered)

    def _may_go(self, waiting: Waiting) -> bool:
        """A backfill that is to run one after another waits here rather than in the buffer."""
        return not (waiting.overlap is Overlap.BUFFER_ALL and (self.course.open or self.course.buffer))

    @property
    def _runs_left(self) -> int:
        """How many more runs the limit allows; those that wait are as good as started."""
        course = self.course
        if not course.definition.max_runs:
            return BATCH
        waiting = sum(not waiting.origin for waiting in course.buffer)
        return max(0, course.definition.max_runs) - course.counts.scheduled - waiting

    @property
    def has_more(self) -> bool:
        """Whether times follow those that it knows."""
        return not self.course.is_last and self._runs_left > 0

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen any more unless someone says so."""
        course = self.course
        if course.is_paused or course.buffer or course.urgent or course.backfills or course.heard:
            return False
        return not course.upcoming and not self.has_more

    @property
    def next_due(self) -> int:
        """When there is something to do by itself; 0 for never."""
        course = self.course
        return course.upcoming[0].due if course.upcoming and not course.is_paused else 0

    @property
    def next_state(self) -> State:
        """What a new run goes on from."""
        state = self.course.state
        state.by_command = state.by_marker = state.by_state = True
        return state

    # --- what came of it

    def found(self, times: Times) -> None:
        """These come next."""
        course = self.course
        if times.missed:
            self._count(missed=times.missed)
        course.cursor = max(course.cursor, times.cursor)
        course.upcoming, course.is_last = times.occasions, times.is_last
        course.has_looked = bool(times.occasions) or times.is_last
        course.steps += not course.has_looked

    def found_back(self, times: Times, now: int) -> None:
        """These belong to the first backfill."""
        course, backfill = self.course, self.course.backfills[0]
        course.urgent = [
            *course.urgent,
            *(Waiting(Occasion(each.nominal, now), backfill.overlap, backfill.key) for each in times.occasions),
        ]
        course.steps += 1
        if times.is_last:
            course.backfills = course.backfills[1:]
        elif times.occasions:
            after = times.occasions[-1].nominal
            rest = Backfill(backfill.key, after, backfill.until, backfill.overlap)
            course.backfills = [rest, *course.backfills[1:]]

    def answered(self, waiting: Waiting, answer: Answer, now: int) -> None:
        """This came of an occasion."""
        course = self.course
        course.open = answer.open
        if answer.error:
            course.last_error, course.last_error_time = answer.error, now
        match answer.outcome:
            case Outcome.STARTED:
                assert answer.started is not None
                given = answer.started
                started = Started(given.workflow_id, given.run_id, given.nominal, now)
                course.open = _with(course.open, started, OPEN_LIMIT)
                course.recent = _with(course.recent, started, RECENT)
                self._count(fired=1, scheduled=int(not waiting.origin))
            case Outcome.SKIPPED:
                self._count(skipped=1)
            case Outcome.DROPPED:
                self._count(skipped=1, dropped=1)
            case Outcome.FAILED:
                self._count(failed=1)
            case Outcome.BUFFERED:
                self._count(buffered=1)
                if waiting.overlap is Overlap.CANCEL_OTHER:
                    # Only the latest one is wanted when the cancelled run has ended.
                    kept = [other for other in course.buffer if other.overlap is not Overlap.CANCEL_OTHER]
                    self._count(skipped=len(course.buffer) - len(kept))
                    course.buffer = kept
                course.buffer = [*course.buffer, waiting]

    def _count(self, **more: int) -> None:
        counts = self.course.counts
        self.course.counts = msgspec.structs.replace(
            counts, **{name: getattr(counts, name) + number for name, number in more.items()}
        )


def _with(runs: list[Started], run: Started, limit: int) -> list[Started]:
    """One more of them; the oldest go now and then, and not each time, which would have all of them saved anew."""
    return [*(runs if len(runs) < 2 * limit else runs[1 - limit :]), run]
