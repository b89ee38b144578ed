"""What workflow code may not call, and what it may."""

import asyncio
import datetime as dt
import gc
import logging
import os
import random
import secrets
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path
from random import randint
from time import monotonic, perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.sdk import guarded_helpers
from tests.sdk.fake_kernel import FakeKernel

from perdure.model.errors import NotAllowedInWorkflowError
from perdure.model.program import TurnFailed
from perdure.sdk import guards, workflow
from perdure.sdk.app import App
from perdure.sdk.origins import Owner, owner_of

app = App("test")

# It is here to be refused.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@app.activity
async def free() -> float:
    return time.time() + datetime.now().timestamp()


async def in_thread() -> object:
    return await asyncio.to_thread(print)


FORBIDDEN: dict[str, Callable[[], Any]] = {
    "time.time()": lambda: time.time(),
    "time.time_ns()": lambda: time.time_ns(),
    "time.monotonic()": lambda: monotonic(),
    "time.perf_counter()": lambda: perf_counter(),
    "time.sleep()": lambda: time.sleep(0),
    "time.localtime()": lambda: time.localtime(),
    "datetime.datetime.now()": lambda: datetime.now(),
    "datetime.datetime.now() ": lambda: dt.datetime.now(dt.UTC),
    "datetime.datetime.utcnow()": lambda: datetime.utcnow(),
    "datetime.date.today()": lambda: date.today(),
    "datetime.date.today() ": lambda: guarded_helpers.today(),
    "random.random()": lambda: random.random(),
    "random.randint()": lambda: randint(1, 2),
    "os.urandom()": lambda: random.SystemRandom().random(),
    "uuid.uuid4()": lambda: uuid.uuid4(),
    "uuid.uuid1()": lambda: uuid.uuid1(),
    "os.urandom() ": lambda: os.urandom(4),
    "secrets.token_hex()": lambda: secrets.token_hex(),
    "open()": lambda: open(__file__).close(),
    "open() ": lambda: Path(__file__).read_text(),
    "socket.socket()": lambda: socket.socket().close(),
    "socket.getaddrinfo() ": lambda: socket.create_connection(("127.0.0.1", 9)),
    "socket.getaddrinfo()": lambda: socket.getaddrinfo("localhost", 80),
    "subprocess.Popen()": lambda: subprocess.run(["true"], check=False),
    "os.system()": lambda: os.system("true"),
    "threading.Thread.start()": lambda: threading.Thread(target=print).start(),
    "threading.Thread.start() ": lambda: ThreadPoolExecutor().submit(print),
    "os.listdir()": lambda: os.listdir("/"),
    "loop.run_in_executor()": in_thread,
    "loop.call_soon_threadsafe()": lambda: asyncio.get_running_loop().call_soon_threadsafe(print),
}


@app.workflow
async def does(what: str) -> str:
    try:
        result = FORBIDDEN[what]()
        if asyncio.iscoroutine(result):
            await result
    except NotAllowedInWorkflowError as error:
        return str(error)
    return "allowed"


@pytest.mark.parametrize("what", FORBIDDEN)
def test_forbidden_calls_are_refused_with_their_name_and_line(what: str) -> None:
    run = FakeKernel(does, what)
    run.turn()
    message = run.result
    assert what.strip() in message
    assert "not allowed in a workflow" in message
    if not what.startswith("loop."):
        assert ("test_guards.py:" in message) or ("guarded_helpers.py:" in message)
    assert any(word in message for word in ("use ", "activity", "message", "nothing outside")), message


@pytest.mark.parametrize("what", FORBIDDEN)
def test_outside_of_turns_everything_works(what: str) -> None:
    if what.strip() in ("socket.getaddrinfo()", "loop.run_in_executor()", "loop.call_soon_threadsafe()"):
        return
    FakeKernel(does, what).turn()
    FORBIDDEN[what]()


@app.workflow
async def uses_the_clock() -> None:
    datetime.now()


def test_uncaught_it_fails_the_turn() -> None:
    failed = FakeKernel(uses_the_clock).try_turn()
    assert isinstance(failed, TurnFailed)
    assert failed.cause == "NON_DETERMINISTIC_ERROR"
    assert "datetime.datetime.now() is not allowed" in failed.failure.message
    assert "uses_the_clock" in failed.failure.message
    datetime.now()


@app.workflow
async def behaves() -> dict[str, Any]:
    logging.getLogger("x").warning("time is asked for by logging itself")
    workflow.logger.warning("and here")
    print("printing is harmless")
    import json.tool  # noqa: F401  # imports may read files

    local = workflow.now().astimezone(ZoneInfo("Europe/Berlin"))
    with workflow.unguarded():
        measured = datetime.now().timestamp() + time.time() + perf_counter()
    return {
        "home": bool(os.getenv("HOME")) or True,
        "chance": workflow.random().random(),
        "uuid": str(workflow.uuid4()),
        "seeded": random.Random(5).random(),
        "local": local.isoformat(),
        "measured": measured > 0,
        "elapsed": time.gmtime(0).tm_year,
        "isinstance": isinstance(local, datetime),
        "made": datetime(2020, 1, 1).isoformat(),
        "helper": guarded_helpers.never_asks_the_clock(workflow.now()).isoformat(),
        "reaches_activity": free.__name__,
    }


def test_what_is_harmless_is_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    run = FakeKernel(behaves)
    run.turn()
    assert run.result["elapsed"] == 1970
    assert run.result["isinstance"] is True
    again = FakeKernel(behaves)
    again.turn()
    assert again.result["chance"] == run.result["chance"]
    assert again.result["uuid"] == run.result["uuid"]


@app.workflow
class Asked:
    async def run(self) -> None:
        await asyncio.sleep(1)

    @workflow.query
    def clock(self) -> float:
        return time.time() + datetime.now().timestamp()


def test_queries_may_look_at_the_clock() -> None:
    run = FakeKernel(Asked)
    run.turn()
    assert run.query("clock") > 0


finalized: list[float] = []


class Cyclic:
    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        finalized.append(time.time())
        os.listdir("/")


@app.workflow
async def collects() -> None:
    gc.collect()


def test_finalizers_that_happen_to_run_in_a_turn_are_not_the_workflows_fault() -> None:
    Cyclic()
    FakeKernel(collects).turn()
    assert len(finalized) == 1


@app.workflow
async def waits() -> None:
    await workflow.sleep(1)


def test_guards_belong_to_one_thread() -> None:
    seen: list[float] = []
    inside, outside = threading.Event(), threading.Event()

    def other_thread() -> None:
        inside.wait(5)
        seen.append(time.time())
        outside.set()

    thread = threading.Thread(target=other_thread)
    thread.start()

    @app.workflow(name=f"meets {id(seen)}")
    async def meets() -> None:
        inside.set()
        assert outside.wait(5)

    FakeKernel(meets).turn()
    thread.join()
    assert len(seen) == 1


def test_after_a_failed_turn_the_guards_are_off() -> None:
    FakeKernel(uses_the_clock).try_turn()
    assert time.time() > 0
    assert datetime.now()


def test_guards_can_live_in_a_class_and_be_pickled() -> None:
    import pickle

    FakeKernel(waits)

    class Formatter(logging.Formatter):
        converter = time.gmtime  # type: ignore[assignment]

    record = logging.LogRecord("x", 20, "f", 1, "m", (), None)
    assert Formatter("%(asctime)s").format(record)
    assert pickle.loads(pickle.dumps(time.time)) is time.time


class Untouchable:
    """A stand-in that must not be looked at outside of its context, as some frameworks have them."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("outside of context")


untouchable = Untouchable()


@app.workflow
async def touches_nothing() -> str:
    return "fine" if callable(untouchable) else "fine too"


def test_code_that_cannot_be_read_runs_all_the_same() -> None:
    run = FakeKernel(touches_nothing)
    run.turn()
    assert run.result == "fine too"


@pytest.mark.parametrize(
    ("filename", "owner"),
    [
        (__file__, Owner.USER),
        ("<stdin>", Owner.USER),
        (guards.__file__, Owner.PERDURE),
        (logging.__file__, Owner.STANDARD),
        ("<frozen importlib._bootstrap>", Owner.STANDARD),
        (pytest.__file__, Owner.INSTALLED),
    ],
)
def test_whose_code_it_is(filename: str, owner: Owner) -> None:
    assert owner_of(filename) is owner
