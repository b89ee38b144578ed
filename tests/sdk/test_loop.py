"""The loop: what of asyncio works, in which order, and inside what."""

import asyncio
import contextvars
import decimal
from typing import Any

import pytest
from tests.sdk.fake_kernel import FakeKernel

from perdure.model import commands as c
from perdure.model.errors import NotAllowedInWorkflowError
from perdure.model.options import SECOND_NS
from perdure.sdk.app import App
from perdure.sdk.loop import WorkflowLoop, WorkflowTask

app = App("test")


@app.activity
async def work(tag: str) -> str: ...  # type: ignore[empty-body]


@app.workflow
async def callbacks() -> list[str]:
    loop = asyncio.get_running_loop()
    log: list[str] = []
    loop.call_soon(log.append, "soon")
    loop.call_soon(log.append, "cancelled").cancel()
    loop.call_later(2, log.append, "later")
    handle = loop.call_at(loop.time() + 1, log.append, "at")
    assert handle.when() == 1.0
    cancelled = loop.call_later(5, log.append, "never")
    cancelled.cancel()
    cancelled.cancel()
    assert cancelled.cancelled()
    loop.call_later(0, log.append, "zero")
    loop.call_later(-1, log.append, "negative")
    await asyncio.sleep(3)
    return log


def test_callbacks_and_timers() -> None:
    run = FakeKernel(callbacks)
    assert run.turn() == [
        c.StartTimer("1", 2 * SECOND_NS),
        c.StartTimer("2", 1 * SECOND_NS),
        c.StartTimer("4", 3 * SECOND_NS),
    ]
    run.fire().turn()
    run.fire().fire().turn()
    assert run.result == ["soon", "zero", "negative", "at", "later"]
    run.check_replay()


@app.workflow
async def measures() -> list[float]:
    loop = asyncio.get_running_loop()
    times = []
    forever = loop.call_later(float("inf"), print)
    for delay in (1e-9, 0.1, 86400 * 3650, 0.000001):
        await asyncio.sleep(delay)
        times.append(loop.time())
    forever.cancel()
    deadline = loop.time() + 0.3
    while loop.time() < deadline:
        await asyncio.sleep(deadline - loop.time())
    return times


def test_durations_are_exact_to_the_microsecond() -> None:
    run = FakeKernel(measures)
    durations = []
    while run.closing is None:
        for command in run.turn():
            if isinstance(command, c.StartTimer):
                durations.append(command.start_to_fire_timeout_ns)
                run.fire()
    assert durations.pop(0) == 100 * 365 * 86400 * SECOND_NS
    assert durations[:5] == [1000, 100_000_000, 86400 * 3650 * SECOND_NS, 1000, 300_000_000]
    assert len(durations) <= 6
    run.check_replay()


@app.workflow
async def cancels_in_order(count: int) -> list[str]:
    log: list[str] = []

    async def one(n: int) -> None:
        try:
            await work(str(n))
        except asyncio.CancelledError:
            log.append(str(n))
            await work(f"clean-up {n}")
            raise

    async def trouble() -> None:
        await asyncio.sleep(1)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            for n in range(count):
                group.create_task(one(n))
            group.create_task(trouble())
    except* ValueError:
        pass
    return log


def test_a_task_group_cancels_in_an_order_that_does_not_depend_on_addresses() -> None:
    orders = []
    for _ in range(3):
        run = FakeKernel(cancels_in_order, 50)
        run.turn()
        run.fire().turn()
        cancelled = [id for id, event in run.activities.items() if b"clean-up" in event.input[0].data]
        orders.append([run.activities[id].input for id in cancelled])
        for id in cancelled:
            run.complete(id, "")
        run.turn()
        run.check_replay()
    assert orders[0] == orders[1] == orders[2]


@app.workflow
async def first_completed() -> list[str]:
    tasks = {asyncio.create_task(work(str(n)), name=f"t{n}") for n in range(20)}
    log = []
    while tasks:
        done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        log += [task.get_name() for task in done]
    return log + [await each for each in asyncio.as_completed([work(str(n)) for n in range(5)])]


def test_wait_and_as_completed_have_one_order() -> None:
    run = FakeKernel(first_completed)
    while run.closing is None:
        run.turn()
        for id in sorted(run.activities, key=lambda id: int(id) * 7 % 11)[:6]:
            run.complete(id, f"done {id}")
    run.check_replay()


@app.workflow
async def cancels_everybody_else() -> list[str]:
    me = asyncio.current_task()
    for n in range(30):
        asyncio.create_task(work(str(n)))  # noqa: RUF006
    await asyncio.sleep(1)
    order = []
    for task in asyncio.all_tasks() - {me}:
        task.cancel()
        order.append(task.get_name())
    await asyncio.sleep(1)
    return order


def test_all_tasks_are_those_of_the_run_in_one_order() -> None:
    run = FakeKernel(cancels_everybody_else)
    run.turn()
    run.fire().turn()
    run.fire().turn()
    assert len(run.result) == 30
    run.check_replay()


@app.workflow
async def synchronises() -> list[str]:
    log: list[str] = []
    queue: asyncio.Queue[int] = asyncio.Queue(2)
    lock, event, condition = asyncio.Lock(), asyncio.Event(), asyncio.Condition()
    gate = asyncio.Semaphore(2)

    async def produce() -> None:
        for n in range(5):
            await queue.put(n)
        event.set()

    async def consume(name: str) -> None:
        while True:
            n = await queue.get()
            async with lock, gate:
                log.append(f"{name}{n}")
                await work(f"{name}{n}")
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        consumers = [group.create_task(consume(name)) for name in "ab"]
        await event.wait()
        await queue.join()
        for consumer in consumers:
            consumer.cancel()
    async with condition:
        condition.notify_all()
    return log


def test_queues_locks_events_and_semaphores() -> None:
    run = FakeKernel(synchronises)
    while run.closing is None:
        run.turn()
        for id in list(run.activities):
            run.complete(id, "")
    assert sorted(entry[1:] for entry in run.result) == list("01234")
    run.check_replay()


outer_variable: contextvars.ContextVar[str] = contextvars.ContextVar("outer", default="unset")


@app.workflow
async def looks_around() -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    child = asyncio.create_task(asyncio.sleep(0))
    assert isinstance(child, WorkflowTask)
    await child
    await asyncio.shield(asyncio.ensure_future(asyncio.sleep(0)))
    return {
        "loop": type(loop) is WorkflowLoop,
        "running": loop.is_running(),
        "closed": loop.is_closed(),
        "debug": loop.get_debug(),
        "task": task.get_name(),
        "child": child.get_name(),
        "outer": outer_variable.get(),
        "precision": decimal.getcontext().prec,
    }


EXPECTED = {
    "loop": True,
    "running": True,
    "closed": False,
    "debug": False,
    "task": "looks_around",
    "child": "task-1",
    "outer": "unset",
    "precision": 28,
}


def _look_around() -> None:
    run = FakeKernel(looks_around)
    run.turn()
    assert run.result == EXPECTED


def test_without_an_outer_loop() -> None:
    outer_variable.set("leaked")
    _look_around()
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


async def _inside_task() -> None:
    decimal.getcontext().prec = 5
    outer, task = asyncio.get_running_loop(), asyncio.current_task()
    _look_around()
    assert asyncio.get_running_loop() is outer
    assert asyncio.current_task() is task
    await asyncio.sleep(0)
    failed = FakeKernel(callbacks, "one argument too many").try_turn()
    assert not isinstance(failed, list)
    assert asyncio.get_running_loop() is outer
    seen: asyncio.Future[None] = outer.create_future()

    def callback() -> None:
        _look_around()
        seen.set_result(None)

    outer.call_soon(callback)
    await seen


def test_inside_a_task_and_a_callback_of_an_outer_loop() -> None:
    asyncio.run(_inside_task())


def test_inside_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    uvloop.run(_inside_task())


@app.workflow
async def forbidden(name: str) -> str:
    try:
        result = getattr(asyncio.get_running_loop(), name)()
        if asyncio.iscoroutine(result):
            await result
    except NotAllowedInWorkflowError as error:
        return str(error)
    return "allowed"


@pytest.mark.parametrize(
    "name", ["run_in_executor", "create_connection", "subprocess_exec", "add_signal_handler", "stop", "run_forever"]
)
def test_what_a_workflow_loop_does_not_have_says_what_to_use_instead(name: str) -> None:
    run = FakeKernel(forbidden, name)
    run.turn()
    assert run.result.startswith(f"loop.{name}() is not allowed in a workflow: ")


@app.workflow
async def forgets() -> str:
    async def fails() -> None:
        raise ValueError("nobody listens")

    asyncio.create_task(fails())  # noqa: RUF006
    asyncio.create_task(asyncio.sleep(3600))  # noqa: RUF006
    await asyncio.sleep(0)
    return "done"


def test_an_unawaited_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    run = FakeKernel(forgets)
    run.turn()
    assert run.result == "done"
    assert [record.getMessage() for record in caplog.records] == [
        "task-1 failed, and nobody awaited it (workflow w, run r)"
    ]
    assert caplog.records[0].exc_info is not None
    caplog.clear()
    assert run.new_program().catch_up(run.events) is None
    assert caplog.records == []


@app.workflow
async def raises_in_callback() -> None:
    asyncio.get_running_loop().call_soon(int, "no number")
    await work("x")


def test_an_exception_in_a_callback_fails_the_turn() -> None:
    failed = FakeKernel(raises_in_callback).try_turn()
    assert not isinstance(failed, list)
    assert failed.failure.type == "ValueError"


@app.workflow
async def exits() -> None:
    raise SystemExit(3)


def test_a_workflow_cannot_end_the_process() -> None:
    failed = FakeKernel(exits).try_turn()
    assert not isinstance(failed, list)
    assert failed.failure.type == "SystemExit"


def test_every_method_of_an_event_loop_is_there_or_refused() -> None:
    for name in dir(asyncio.AbstractEventLoop):
        if not name.startswith("_"):
            assert getattr(WorkflowLoop, name) is not getattr(asyncio.AbstractEventLoop, name), name


@app.workflow
async def many_tasks(count: int) -> int:
    total = 0
    for _ in range(count):
        total += await asyncio.create_task(one())
    return total


async def one() -> int:
    return 1


@app.workflow
async def three_tasks() -> None:
    await asyncio.gather(*(work(str(n)) for n in range(3)))


def test_the_tasks_of_many_runs_do_not_collide() -> None:
    """asyncio keeps all tasks of the process in one set; were their hashes alike there, each would cost more than the
    last."""
    runs = [FakeKernel(three_tasks) for _ in range(50)]
    for run in runs:
        run.turn()
    everybody: Any = getattr(asyncio.tasks, "_scheduled_tasks", None) or getattr(asyncio.tasks, "_all_tasks", ())
    hashes = {hash(reference) for reference in everybody.data}
    assert len(hashes) >= 200
    for run in runs:
        run.program.close()


def test_finished_tasks_are_let_go() -> None:
    run = FakeKernel(many_tasks, 1000)
    loop = run.program._run.loop
    run.turn()
    assert run.result == 1000
    assert len(loop.tasks) < 100
