"""How a schedule's run goes on that began before there was ``program``: a workflow whose history is replayed.

It sleeps until an occasion is due, or something is said to it, deals with one thing at a time, and begins again; after a
batch of times it goes on as a new run, which is one of ``program``'s. What it does, and in which order, never changes.
"""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from perdure.model.events import StartChildWorkflowExecutionFailed
from perdure.model.ids import Completion
from perdure.sdk import calls, workflow
from perdure.sdk.app import App
from perdure.sdk.run import require_run
from perdure.sdk.schedules import firing
from perdure.sdk.schedules.course import Course
from perdure.sdk.schedules.definition import (
    CLOSED_SIGNAL,
    MEMO,
    REPLACE_UPDATE,
    WORKFLOW_TYPE,
    Answer,
    AskStart,
    AskTimes,
    Command,
    Outcome,
    Replace,
    Snapshot,
    Started,
    State,
    Times,
    listed,
)
from perdure.sdk.schedules.plan import STEPS, Deal, Find, Plan

FindTimes = Callable[[AskTimes], Coroutine[Any, Any, Times]]
StartRun = Callable[[AskStart], Coroutine[Any, Any, Answer]]


class ReplayedPlan(Plan):
    """One that shows each change for itself."""

    def show(self) -> None:
        workflow.upsert_memo({MEMO: listed(self.course)})


def define_replayed(app: App, find_times: FindTimes, start_run: StartRun) -> None:
    """Declare the workflow. The arguments are its activities."""

    @app.workflow(name=WORKFLOW_TYPE)
    class Schedule:
        """See the module."""

        def __init__(self) -> None:
            self.plan: Plan | None = None
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
            self.asking += 1
            try:
                # A step goes by one definition from its beginning to its end.
                await workflow.wait_condition(lambda: not self.in_step)
                assert self.plan is not None
                self.pass_on(self.plan.course)
                done = self.plan.replace(command, revision, now())
                self.wakes = self.wakes or done
                return done
            finally:
                self.asking -= 1

        @workflow.query
        def look(self) -> Snapshot | None:
            if self.plan is None:
                return None
            return Snapshot(self.plan.course.state, self.plan.course.upcoming)

        async def run(self, state: State) -> State:
            course = Course.of(state)
            plan = self.plan = ReplayedPlan(course)
            plan.begin(now())
            while True:
                self.in_step = False
                if self.asking:
                    await workflow.wait_condition(lambda: not self.asking)
                self.wakes = False
                self.pass_on(course)
                plan.hear(now())
                self.in_step = True
                step = plan.next_step(now())
                if isinstance(step, Deal):
                    await self.deal_with(plan, step)
                elif isinstance(step, Find):
                    await self.find(plan, step)
                self.in_step = False
                if not step:
                    if not plan.is_over:
                        await self.wait(plan)
                    elif not await self.is_kept(course):
                        return course.state
                if course.steps >= STEPS and not self.heard and not self.closed_runs and not self.asking:
                    workflow.continue_as_new(plan.next_state)

        def pass_on(self, course: Course) -> None:
            course.heard, self.heard = [*course.heard, *self.heard], []
            course.closed, self.closed_runs = [*course.closed, *self.closed_runs.values()], {}

        async def is_kept(self, course: Course) -> bool:
            """Wait for something to be said, for as long as the schedule is kept; False if nothing was."""
            if not course.definition.keep_for:
                return False
            try:
                await workflow.wait_condition(self.is_woken, timeout=course.definition.keep_for / 1e9)
            except TimeoutError:
                return False
            return True

        def is_woken(self) -> bool:
            return bool(self.heard or self.closed_runs or self.wakes)

        async def wait(self, plan: Plan) -> None:
            timeout = max(0.001, (plan.next_due - now()) / 1e9) if plan.next_due else None
            try:
                await workflow.wait_condition(self.is_woken, timeout=timeout)
            except TimeoutError:
                pass

        async def find(self, plan: Plan, find: Find) -> None:
            if find.is_backfill:
                plan.found_back(await find_times(find.ask), now())
                return
            course, found = plan.course, None
            if course.by_marker and not course.is_hard:
                found = workflow.side_effect(partial(firing.try_times, find.ask), Times | None)
                # One turn looks once: what is hard to find would hold up the engine's loop.
                course.is_hard = found is None or not (found.occasions or found.is_last)
            if found is None:
                found = await find_times(find.ask)
            plan.found(found)

        async def deal_with(self, plan: Plan, deal: Deal) -> None:
            course, waiting = plan.course, deal.waiting
            key = require_run().started.first_execution_run_id
            if course.by_command and firing.may_start(waiting.overlap, course.open, deal.buffered):
                answer = await start_by_command(course, deal, key)
            else:
                answer = await start_run(AskStart(course.definition, waiting, key, course.open, deal.buffered))
            plan.answered(waiting, answer, now())


async def start_by_command(course: Course, deal: Deal, key: str) -> Answer:
    """Start the run of an occasion, whatever is open."""
    run, definition, waiting = require_run(), course.definition, deal.waiting
    if refused := firing.refusal(definition, run.address.workflow_id):
        return Answer(Outcome.FAILED, course.open, error=refused)
    request = firing.start_request(definition, waiting, key)
    event = await calls.start_detached(run, definition.namespace, request, CLOSED_SIGNAL)
    if isinstance(event, StartChildWorkflowExecutionFailed):
        error = firing.could_not_start(waiting, event.message or event.cause)
        return Answer(Outcome.FAILED, course.open, error=error)
    started = Started(request.workflow_id, event.run_id, waiting.occasion.nominal, 0)
    return Answer(Outcome.STARTED, course.open, started)


def now() -> int:
    """The time of the turn, in ns since 1970, to the microsecond, as ``workflow.now()`` tells it."""
    return require_run().loop.now_ns // 1000 * 1000
