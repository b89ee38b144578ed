"""The workflow ``perdure.schedule``: one run for each schedule.

It sleeps until an occasion is due, or something is said to it, deals with one thing at a time, and begins again. Where
an occasion may start its run, it does so by a command, which is recorded with the turn. So are the next times that it
finds, so that another version of the time zone database never breaks a history. Two activities do what takes longer:
``perdure.schedule.times`` finds times that are far apart, and ``perdure.schedule.start`` looks at the runs that were open
and does what the overlap policy says. After a batch of times it goes on as a new run, with all it must remember as its argument.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from perdure.model.events import StartChildWorkflowExecutionFailed
from perdure.model.ids import Completion
from perdure.model.options import RunStatus
from perdure.model.service import Service
from perdure.sdk import activity, calls, workflow
from perdure.sdk.app import App
from perdure.sdk.retry import Retry
from perdure.sdk.run import require_run
from perdure.sdk.schedules import firing
from perdure.sdk.schedules.definition import (
    CLOSED_SIGNAL,
    MEMO,
    OPEN_LIMIT,
    RECENT,
    REPLACE_UPDATE,
    SYSTEM_QUEUE,
    WORKFLOW_TYPE,
    Answer,
    AskStart,
    AskTimes,
    Backfill,
    Command,
    Definition,
    Outcome,
    Overlap,
    Pause,
    Replace,
    Resume,
    Snapshot,
    Started,
    State,
    Times,
    Trigger,
    Waiting,
    listed,
)
from perdure.sdk.schedules.times import Occasion

BATCH = 20
"""So many times are found at once. With jitter, each may be moved by the next one alone, so a batch can end anywhere."""

STEPS = 100
"""After so many occasions the history is long enough to begin a new one."""

_UNLUCKY = (RunStatus.FAILED, RunStatus.TIMED_OUT)

_RETRY = Retry(initial=1.0, maximum=60.0)


def schedule_app(service: Callable[[], Service]) -> App:
    """The app that every engine serves besides the user's own. ``service`` gives the engine, once it is there."""
    app = App("perdure.schedules", task_queue=SYSTEM_QUEUE)

    @app.activity(name="perdure.schedule.times", retry=_RETRY)
    async def find_times(ask: AskTimes) -> Times:
        return firing.find_times(ask)

    @app.activity(name="perdure.schedule.start", retry=_RETRY)
    async def start_run(ask: AskStart) -> Answer:
        return await firing.deal_with(service(), ask, activity.info().workflow_id)

    @app.workflow(name=WORKFLOW_TYPE)
    class Schedule:
        """See the module."""

        def __init__(self) -> None:
            self.state: State | None = None
            self.upcoming: list[Occasion] = []
            self.is_last = False
            self.has_looked = False
            self.is_hard = False
            self.steps = 0
            self.heard: list[Command] = []
            self.closed_runs: dict[str, Completion] = {}
            self.wakes = False
            self.in_step = True
            self.asking = 0

        @workflow.signal
        def tell(self, command: Command) -> None:
            self.heard.append(command)

        @workflow.signal
        def closed(self, completion: Completion) -> None:
            self.closed_runs[completion.first_run_id] = completion

        @workflow.update(name=REPLACE_UPDATE)
        async def replace(self, command: Replace, revision: int) -> bool:
            """Unless somebody else was faster: ``revision`` is the one that the caller has seen."""
            self.asking += 1
            try:
                # A step goes by one definition from its beginning to its end.
                await workflow.wait_condition(lambda: not self.in_step)
                state = self.state
                assert state is not None
                self.hear(state)
                if state.revision != revision:
                    return False
                self.obey(state, command)
                self.wakes = True
                return True
            finally:
                self.asking -= 1

        @workflow.query
        def look(self) -> Snapshot | None:
            return None if self.state is None else Snapshot(self.state, self.upcoming)

        async def run(self, state: State) -> State:
            self.state = state
            # Times before its creation are not the schedule's; a client can't know the engine's time.
            state.cursor = state.cursor or now()
            state.created = state.created or now()
            told, state.told = state.told, []
            self.heard = [*told, *self.heard]
            while True:
                self.in_step = False
                if self.asking:
                    await workflow.wait_condition(lambda: not self.asking)
                self.wakes = False
                self.hear(state)
                self.in_step = True
                has_acted = await self.take_step(state)
                self.in_step = False
                if not has_acted:
                    if not self.is_over(state):
                        await self.wait(state)
                    elif not await self.is_kept(state):
                        return state
                if self.steps >= STEPS and not self.heard and not self.closed_runs and not self.asking:
                    state.by_command = state.by_marker = True
                    workflow.continue_as_new(state)

        # --- what is said to it

        def hear(self, state: State) -> None:
            if self.closed_runs:
                self.forget_closed(state)
            heard, self.heard = self.heard, []
            for command in heard:
                self.obey(state, command)

        def obey(self, state: State, command: Command) -> None:
            match command:
                case Pause(note):
                    self.pause(state, note)
                case Resume(note):
                    self.resume(state)
                    state.note = note
                case Trigger(key, overlap, time):
                    nominal = time or now()
                    while any(waiting.occasion.nominal == nominal for waiting in state.urgent):
                        nominal += 1000  # two at once are two runs, and a run's id is its time
                    occasion = Occasion(nominal, nominal)
                    state.urgent.append(Waiting(occasion, overlap or state.definition.overlap, key))
                case Backfill():
                    state.backfills.append(command)
                case Replace(definition, is_paused, note, remaining):
                    if remaining is not None:
                        allowed = state.counts.scheduled + remaining or -1
                        definition = msgspec.structs.replace(definition, max_runs=allowed)
                    state.definition = definition
                    state.cursor = max(state.cursor, now())
                    self.look_anew()
                    state.is_paused = state.is_paused if is_paused is None else is_paused
                    state.note = state.note if note is None else note
                    state.updated = now()
            if isinstance(command, (Trigger, Backfill)):
                return
            state.revision += 1
            workflow.upsert_memo({MEMO: listed(state)})

        def pause(self, state: State, note: str) -> None:
            state.is_paused, state.note = True, note
            self.upcoming.clear()

        def resume(self, state: State) -> None:
            if state.is_paused:
                # What came while it was paused was not to be.
                state.cursor = max(state.cursor, now())
                self.look_anew()
            state.is_paused = False

        def look_anew(self) -> None:
            self.upcoming.clear()
            self.is_last = self.has_looked = False

        def forget_closed(self, state: State) -> None:
            closed, self.closed_runs = self.closed_runs, {}
            if state.definition.pause_on_failure and state.definition.overlap is not Overlap.ALLOW_ALL:
                self.pause_where_failed(state, closed)
            state.open = [run for run in state.open if run.run_id not in closed]
            state.recent = [
                Started(run.workflow_id, run.run_id, run.nominal, run.time, closed[run.run_id].status)
                if run.run_id in closed
                else run
                for run in state.recent
            ]

        def pause_where_failed(self, state: State, closed: dict[str, Completion]) -> None:
            for run in state.open:
                completion = closed.get(run.run_id)
                if completion is None or RunStatus(completion.status) not in _UNLUCKY:
                    continue
                why = "timeout" if RunStatus(completion.status) is RunStatus.TIMED_OUT else "failure"
                self.pause(state, f"paused due to workflow {why}: {run.workflow_id}")
                state.revision += 1
                workflow.upsert_memo({MEMO: listed(state)})

        # --- what it does

        async def take_step(self, state: State) -> bool:
            """Do the first thing that can be done now; False if there is none."""
            if state.buffer and not state.open:
                await self.deal_with(state, state.buffer.pop(0), buffered=0)
            elif state.urgent and self.may_go(state, state.urgent[0]):
                await self.deal_with(state, state.urgent.pop(0), len(state.buffer))
            elif not state.is_paused and self.has_more(state) and not self.upcoming:
                if self.has_looked and self.steps:
                    self.steps = STEPS  # the end of a batch is a good place to begin a new history
                    return True
                await self.find_more(state)
            elif not state.is_paused and self.upcoming and self.upcoming[0].due <= now():
                await self.deal_with_next(state)
            elif state.backfills and not state.urgent:
                await self.fill_back(state)
            else:
                return False
            return True

        def may_go(self, state: State, waiting: Waiting) -> bool:
            """A backfill that is to run one after another waits here rather than in the buffer."""
            return not (waiting.overlap is Overlap.BUFFER_ALL and (state.open or state.buffer))

        def runs_left(self, state: State) -> int:
            """How many more runs the limit allows; those that wait are as good as started."""
            if not state.definition.max_runs:
                return BATCH
            waiting = sum(not waiting.origin for waiting in state.buffer)
            return max(0, state.definition.max_runs) - state.counts.scheduled - waiting

        def has_more(self, state: State) -> bool:
            return not self.is_last and self.runs_left(state) > 0

        def is_over(self, state: State) -> bool:
            """Whether nothing can happen any more unless someone says so."""
            if state.is_paused or state.buffer or state.urgent or state.backfills or self.heard:
                return False
            return not self.upcoming and not self.has_more(state)

        async def is_kept(self, state: State) -> bool:
            """Wait for something to be said, for as long as the schedule is kept; False if nothing was."""
            if not state.definition.keep_for:
                return False
            try:
                await workflow.wait_condition(self.is_woken, timeout=state.definition.keep_for / 1e9)
            except TimeoutError:
                return False
            return True

        def is_woken(self) -> bool:
            return bool(self.heard or self.closed_runs or self.wakes)

        async def wait(self, state: State) -> None:
            timeout = None
            if not state.is_paused and self.upcoming:
                timeout = max(0.001, (self.upcoming[0].due - now()) / 1e9)
            try:
                await workflow.wait_condition(self.is_woken, timeout=timeout)
            except TimeoutError:
                pass

        async def find_more(self, state: State) -> None:
            definition = state.definition
            limit = min(BATCH, self.runs_left(state))
            oldest = now() - definition.catch_up
            ask = AskTimes(definition.spec, definition.id, state.cursor, oldest, 0, limit)
            found = None
            if state.by_marker and not self.is_hard:
                found = workflow.side_effect(partial(firing.try_times, ask), Times | None)
                # One turn looks once: what is hard to find would hold up the engine's loop.
                self.is_hard = found is None or not (found.occasions or found.is_last)
            if found is None:
                found = await find_times(ask)
            state.counts.missed += found.missed
            state.cursor = max(state.cursor, found.cursor)
            self.upcoming, self.is_last = found.occasions, found.is_last
            self.has_looked = bool(found.occasions) or found.is_last
            self.steps += not self.has_looked

        async def deal_with_next(self, state: State) -> None:
            occasion = self.upcoming.pop(0)
            state.cursor = occasion.nominal
            if occasion.due < now() - state.definition.catch_up:
                state.counts.missed += 1
                return
            await self.deal_with(state, Waiting(occasion, state.definition.overlap), len(state.buffer))

        async def fill_back(self, state: State) -> None:
            backfill = state.backfills[0]
            ask = AskTimes(state.definition.spec, state.definition.id, backfill.after, 0, backfill.until, BATCH)
            found = await find_times(ask)
            state.urgent += [
                Waiting(Occasion(occasion.nominal, now()), backfill.overlap, backfill.key)
                for occasion in found.occasions
            ]
            self.steps += 1
            if found.is_last:
                state.backfills.pop(0)
            elif found.occasions:
                after = found.occasions[-1].nominal
                state.backfills[0] = Backfill(backfill.key, after, backfill.until, backfill.overlap)

        async def deal_with(self, state: State, waiting: Waiting, buffered: int) -> None:
            definition, counts = state.definition, state.counts
            self.steps += 1
            key = require_run().started.first_execution_run_id
            if state.by_command and firing.may_start(waiting.overlap, state.open, buffered):
                answer = await start_by_command(definition, waiting, key, state.open)
            else:
                answer = await start_run(AskStart(definition, waiting, key, state.open, buffered))
            state.open = answer.open
            if answer.error:
                state.last_error, state.last_error_time = answer.error, now()
            match answer.outcome:
                case Outcome.STARTED:
                    assert answer.started is not None
                    given = answer.started
                    started = Started(given.workflow_id, given.run_id, given.nominal, now())
                    state.open = [*state.open, started][-OPEN_LIMIT:]
                    state.recent = [*state.recent, started][-RECENT:]
                    counts.fired += 1
                    counts.scheduled += not waiting.origin
                case Outcome.SKIPPED:
                    counts.skipped += 1
                case Outcome.DROPPED:
                    counts.skipped += 1
                    counts.dropped += 1
                case Outcome.FAILED:
                    counts.failed += 1
                case Outcome.BUFFERED:
                    counts.buffered += 1
                    if waiting.overlap is Overlap.CANCEL_OTHER:
                        # Only the latest one is wanted when the cancelled run has ended.
                        given_up = [other for other in state.buffer if other.overlap is Overlap.CANCEL_OTHER]
                        counts.skipped += len(given_up)
                        state.buffer = [other for other in state.buffer if other.overlap is not Overlap.CANCEL_OTHER]
                    state.buffer.append(waiting)

    return app


async def start_by_command(definition: Definition, waiting: Waiting, key: str, open_runs: list[Started]) -> Answer:
    """Start the run of an occasion, whatever is open."""
    run = require_run()
    if refused := firing.refusal(definition, run.address.workflow_id):
        return Answer(Outcome.FAILED, open_runs, error=refused)
    request = firing.start_request(definition, waiting, key)
    event = await calls.start_detached(run, definition.namespace, request, CLOSED_SIGNAL)
    if isinstance(event, StartChildWorkflowExecutionFailed):
        error = firing.could_not_start(waiting, event.message or event.cause)
        return Answer(Outcome.FAILED, open_runs, error=error)
    started = Started(request.workflow_id, event.run_id, waiting.occasion.nominal, 0)
    return Answer(Outcome.STARTED, open_runs, started)


def now() -> int:
    """The time of the turn, in ns since 1970, to the microsecond, as ``workflow.now()`` tells it."""
    return require_run().loop.now_ns // 1000 * 1000
