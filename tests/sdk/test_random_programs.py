"""Random programs under random circumstances: what they do live, they do again in every replay."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sdk.fake_kernel import FakeKernel

from perdure.model.errors import ApplicationError
from perdure.model.events import ActivityTaskCancelRequested
from perdure.sdk import workflow
from perdure.sdk.app import App

app = App("test")


@app.activity
async def work(tag: str) -> str: ...  # type: ignore[empty-body]


@app.activity(cancellation="wait")
async def patient(tag: str) -> str: ...  # type: ignore[empty-body]


@app.workflow(name="child")
async def child() -> str: ...  # type: ignore[empty-body]


class Interpreter:
    """Runs a program written as nested lists, and writes down what happens."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.lock = asyncio.Lock()
        self.queue: asyncio.Queue[int] = asyncio.Queue(2)
        self.events = [asyncio.Event() for _ in range(3)]

    async def run(self, op: list[Any]) -> Any:
        try:
            result = await getattr(self, op[0])(*op[1:])
        except BaseException as error:
            self.log.append(f"{op[0]} {type(error).__name__}")
            raise
        self.log.append(op[0])
        return result

    async def act(self) -> str:
        return await work(str(len(self.log)))

    async def patient(self) -> str:
        return await patient(str(len(self.log)))

    async def child(self) -> str:
        return await child()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def seq(self, ops: list[Any]) -> None:
        for op in ops:
            await self.run(op)

    async def gather(self, ops: list[Any]) -> None:
        await asyncio.gather(*(self.run(op) for op in ops))

    async def group(self, ops: list[Any]) -> None:
        async with asyncio.TaskGroup() as group:
            for op in ops:
                group.create_task(self.run(op))

    async def first(self, ops: list[Any]) -> None:
        done, pending = await asyncio.wait(
            {asyncio.create_task(self.run(op)) for op in ops}, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        await asyncio.gather(*done, *pending, return_exceptions=True)

    async def completed(self, ops: list[Any]) -> None:
        for each in asyncio.as_completed([self.run(op) for op in ops]):
            await each

    async def map(self, ops: list[Any], stop_after: int) -> None:
        async for _ in workflow.map(self.run, ops, concurrency=2):
            stop_after -= 1
            if stop_after == 0:
                break

    async def saga(self, ops: list[Any]) -> None:
        async with workflow.saga() as saga:
            for op in ops:
                await self.run(op)
                saga.compensate(work, f"undo {op[0]}")

    async def timeout(self, seconds: float, op: list[Any]) -> None:
        async with asyncio.timeout(seconds):
            await self.run(op)

    async def wait_for(self, seconds: float, op: list[Any]) -> None:
        await asyncio.wait_for(self.run(op), seconds)

    async def put(self, n: int) -> None:
        await self.queue.put(n)

    async def get(self) -> None:
        await self.queue.get()

    async def set(self, n: int) -> None:
        self.events[n].set()

    async def wait(self, n: int) -> None:
        await self.events[n].wait()

    async def locked(self, op: list[Any]) -> None:
        async with self.lock:
            await self.run(op)

    async def shield(self, op: list[Any]) -> None:
        await asyncio.shield(self.run(op))

    async def until(self, length: int) -> None:
        await workflow.wait_condition(lambda: len(self.log) >= length, timeout=7)

    async def receive(self) -> None:
        await workflow.receive("s", int, timeout=9)

    async def guard(self, op: list[Any]) -> None:
        try:
            await self.run(op)
        except (Exception, asyncio.CancelledError):
            await work("guard")

    async def fail(self) -> None:
        raise ApplicationError("on purpose")

    async def cancelled(self, yields: int, op: list[Any]) -> None:
        task = asyncio.create_task(self.run(op))
        for _ in range(yields):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async def patch(self) -> None:
        workflow.patched(f"p{len(self.log) % 3}")
        workflow.progress(len(self.log))


@app.workflow
class Program:
    def __init__(self) -> None:
        self.interpreter = Interpreter()

    async def run(self, op: list[Any]) -> list[str]:
        await self.interpreter.run(op)
        return self.interpreter.log

    @workflow.signal
    async def go(self, n: int) -> None:
        self.interpreter.events[n].set()
        if n == 2:
            await work("in signal")

    @workflow.update
    async def change(self, n: int) -> int:
        self.interpreter.log.append(f"update {n}")
        if n > 0:
            await work("in update")
        return len(self.interpreter.log)

    @change.validator
    def _check(self, n: int) -> None:
        if n == 2:
            raise ValueError("not two")


seconds = st.sampled_from([0, 0.5, 1, 2, 3])
leaves = st.one_of(
    st.sampled_from([["act"], ["act"], ["patient"], ["child"], ["get"], ["receive"], ["fail"], ["patch"]]),
    st.tuples(st.just("sleep"), seconds).map(list),
    st.tuples(st.sampled_from(["put", "set", "wait"]), st.integers(0, 2)).map(list),
    st.tuples(st.just("until"), st.integers(0, 6)).map(list),
)


def branches(ops: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    several = st.lists(ops, min_size=1, max_size=4)
    return st.one_of(
        st.tuples(st.sampled_from(["seq", "gather", "group", "first", "completed", "saga"]), several).map(list),
        st.tuples(st.just("map"), several, st.integers(1, 3)).map(list),
        st.tuples(st.sampled_from(["timeout", "wait_for"]), seconds, ops).map(list),
        st.tuples(st.sampled_from(["locked", "shield", "guard"]), ops).map(list),
        st.tuples(st.just("cancelled"), st.integers(0, 3), ops).map(list),
    )


programs = st.recursive(leaves, branches, max_leaves=12)
inputs = st.tuples(
    st.sampled_from(
        ["complete"] * 4 + ["fire"] * 3 + ["fail", "stop", "child", "signal", "s", "update", "cancel", "evict"]
    ),
    st.integers(0, 5),
)
circumstances = st.lists(st.lists(inputs, min_size=1, max_size=4), max_size=12)


def apply(run: FakeKernel, kind: str, number: int) -> None:
    """One input, if there is anything that it could be about."""
    activities = sorted(run.activities, key=int)
    activity = activities[number % len(activities)] if activities else None
    match kind:
        case "complete" if activity:
            run.complete(activity, f"r{number}")
        case "fail" if activity:
            run.fail(activity)
        case "stop" if activity:
            scheduled = run.activities[activity].id
            if any(
                isinstance(e, ActivityTaskCancelRequested) and e.scheduled_event_id == scheduled for e in run.events
            ):
                run.cancelled(activity)
        case "fire" if run.timers:
            run.fire()
        case "child" if run.children:
            workflow_id = sorted(run.children)[number % len(run.children)]
            run.child_started(workflow_id)
            run.child_completed(workflow_id, "c")
        case "signal":
            run.signal("go", number % 3)
        case "s":
            run.signal("s", number)
        case "cancel":
            run.cancel()
        case "evict":
            run.evict()
        case _:
            pass


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(programs, circumstances)
def test_every_replay_repeats_what_happened(program: list[Any], rounds: list[list[tuple[str, int]]]) -> None:
    run = FakeKernel(Program, program)
    run.turn()
    updates = 0
    for batch in rounds:
        if run.closing is not None:
            break
        admitted = []
        for kind, number in batch:
            if kind == "update":
                updates += 1
                admitted.append((f"u{updates}", "change", (number % 3,)))
            else:
                apply(run, kind, number)
        while run.externals:
            run.delivered()
        run.turn(*admitted)
    run.check_replay()
    run.program.close()
