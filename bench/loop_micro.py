"""What turns cost: programs driven by hand, without an engine. Run it with ``python -m bench.loop_micro``.

Times are CPU time of this thread, the best of several rounds, inside a running event loop as in the engine.
"""

import asyncio
import gc
import resource
import sys
import time

import perdure
from perdure.model import events as e
from perdure.model.ids import RunAddress
from perdure.model.payloads import Payload
from perdure.sdk.converter import Converter
from perdure.sdk.program import PythonProgram

PROGRAMS = 3000
ROUNDS = 10
WAITING = 10_000

app = perdure.App("micro")


@app.activity
async def add_one(n: int) -> int:
    return n + 1


@app.workflow
async def one(n: int) -> int:
    return await add_one(n)


DEFINITION = app.workflows["one"]
CONVERTER = Converter()
NOW = time.time_ns()
FOUR = Payload(b"4")


def start(number: int) -> tuple[RunAddress, e.WorkflowExecutionStarted]:
    """What an engine has of a run before it has a program."""
    address = RunAddress("default", f"w{number}", f"r{number}")
    return address, e.WorkflowExecutionStarted(1, NOW, address.workflow_id, "one", "default", (FOUR,))


TURN = (e.WorkflowTaskScheduled(2, NOW, "default"), e.WorkflowTaskStarted(3, NOW, 2))
SENT = (e.WorkflowTaskCompleted(4, NOW, 2, 3), e.ActivityTaskScheduled(5, NOW, "1", "add_one", "default", (FOUR,)))
NEXT_TURN = (
    *SENT,
    e.ActivityTaskStarted(6, NOW, 5),
    e.ActivityTaskCompleted(7, NOW, 5, 6, (FOUR,)),
    e.WorkflowTaskScheduled(8, NOW, "default"),
    e.WorkflowTaskStarted(9, NOW, 8),
)


async def measure() -> None:
    first, later, close = [], [], []
    for _ in range(ROUNDS):
        starts = [start(number) for number in range(PROGRAMS)]
        gc.collect()
        gc.disable()
        begin = time.thread_time()
        programs = []
        for address, started in starts:
            made = PythonProgram(DEFINITION, address, started, CONVERTER)
            made.turn((started, *TURN), ())
            programs.append(made)
        middle = time.thread_time()
        for made in programs:
            made.turn(NEXT_TURN, ())
        end = time.thread_time()
        for made in programs:
            made.close()
        first.append(middle - begin)
        later.append(end - middle)
        close.append(time.thread_time() - end)
        gc.enable()
    for label, times in (
        ("program and first turn, one activity scheduled", first),
        ("next turn, which completes the run", later),
        ("close", close),
    ):
        print(f"{label:50} {min(times) / PROGRAMS * 1e6:6.2f} us")
    before = _resident()
    waiting = []
    for number in range(WAITING):
        address, started = start(number)
        made = PythonProgram(DEFINITION, address, started, CONVERTER)
        made.turn((started, *TURN), ())
        made.catch_up(SENT)
        waiting.append(made)
    print(f"{'a run that waits, its first event and address':50} {(_resident() - before) / WAITING:6.0f} bytes")


def _resident() -> int:
    gc.collect()
    if sys.platform == "linux":
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    asyncio.run(measure())
