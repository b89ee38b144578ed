"""Apps declare activities and workflows, and refuse what cannot work."""

import functools
import subprocess
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, assert_type

import pytest

from perdure.model.errors import InvalidArgumentError
from perdure.model.options import CancellationType, IdReuse, ParentClose, RetryPolicy
from perdure.sdk import activity
from perdure.sdk.app import App
from perdure.sdk.definitions import activity_definition_of, workflow_definition_of
from perdure.sdk.retry import Retry

SECOND = 1_000_000_000


class Refused(Exception):
    pass


async def plain(x: int, y: str = "") -> float:
    """What it does."""
    return float(x)


def blocking(x: int) -> str:
    return str(x)


# --- activities


def test_an_activity_keeps_the_functions_face() -> None:
    app = App("a")
    declared = app.activity(plain)
    assert (declared.name, declared.fn, declared.__name__, declared.__doc__) == (
        "plain",
        plain,
        "plain",
        "What it does.",
    )
    assert declared.__module__ == __name__
    assert activity_definition_of(declared).executor == "async"
    assert app.activities == {"plain": declared}
    assert repr(declared) == "<activity 'plain' of app 'a'>"


def test_plain_functions_run_in_threads_and_are_awaited_too() -> None:
    app = App("a")
    declared = app.activity(blocking)
    assert_type(declared(1), Coroutine[Any, Any, str]).close()
    assert activity_definition_of(declared).executor == "thread"


async def test_outside_a_workflow_it_is_the_function() -> None:
    app = App("a")
    assert await app.activity(plain)(3, y="x") == 3.0
    assert await app.activity(blocking)(3) == "3"


def test_options() -> None:
    app = App("a")
    declared = app.activity(
        name="renamed",
        start_to_close=timedelta(seconds=10),
        schedule_to_close=60,
        schedule_to_start=1.5,
        heartbeat=2,
        retry=Retry(initial=0.2, maximum=5, max_attempts=6, non_retryable=(Refused, "Other")),
        task_queue="q",
        cancellation="wait",
    )(plain)
    options = activity_definition_of(declared).options
    assert options.start_to_close_ns == 10 * SECOND
    assert options.schedule_to_close_ns == 60 * SECOND
    assert options.schedule_to_start_ns == SECOND * 3 // 2
    assert options.heartbeat_ns == 2 * SECOND
    assert options.retry_policy == RetryPolicy(SECOND // 5, 2.0, 5 * SECOND, 6, ("Refused", "Other"))
    assert (options.task_queue, options.cancellation) == ("q", CancellationType.WAIT_CANCELLATION_COMPLETED)
    assert app.task_queues == {"default", "q"}

    changed = declared.options(start_to_close=None, cancellation="abandon", task_queue="q2")
    assert changed.__perdure_options__.start_to_close_ns == 0
    assert changed.__perdure_options__.heartbeat_ns == 2 * SECOND
    assert changed.__perdure_options__.cancellation is CancellationType.ABANDON
    assert declared.__perdure_options__ == options
    assert changed.options(heartbeat=1).__perdure_options__.task_queue == "q2"
    assert app.task_queues == {"default", "q", "q2"}
    assert app.activities == {"renamed": declared}


@pytest.mark.parametrize(
    ("declare", "text"),
    [
        (lambda app: app.activity(start_to_close=-1), "start_to_close: -1 is not a time limit"),
        (lambda app: app.activity(heartbeat=timedelta(0)), "heartbeat: .*above zero"),
        (lambda app: app.activity(schedule_to_close="soon"), "schedule_to_close: 'soon' is not a duration"),
        (lambda app: app.activity(cancellation="maybe"), "'try', 'wait', 'abandon'"),
        (lambda app: app.activity(executor="async")(blocking), "plain function, so it cannot run on executor 'async'"),
        (lambda app: app.activity(executor="process")(plain), "async function, so it cannot run on executor 'process'"),
        (lambda app: app.activity(app.activity(plain)), "declared already"),
        (lambda app: app.activity(Refused), "takes a function"),
        (lambda app: app.activity(functools.partial(plain, 1)), "has no name of its own"),
        (lambda app: (app.activity(plain), app.activity(name="plain")(blocking)), "two activity types named 'plain'"),
        (lambda app: app.workflow(run_timeout=0), "run_timeout: 0 is not a time limit"),
        (lambda app: app.workflow(blocking), "must be an async function"),
        (lambda app: app.workflow(Refused), "needs an async method run"),
        (lambda app: (app.workflow(plain), app.workflow(name="plain")(plain)), "two workflow types named 'plain'"),
    ],
)
def test_nonsense_is_refused_at_the_declaration(declare: Callable[[Any], Any], text: str) -> None:
    with pytest.raises(InvalidArgumentError, match=text):
        declare(App("a"))


def test_parameters_that_cannot_be_given_are_refused() -> None:
    app = App("a")

    def wrapper(*args: Any, **kwargs: Any) -> None: ...
    def named(**kwargs: int) -> None: ...
    def needed(x: int, *, y: int) -> None: ...
    def optional(x: int, *, y: int = 1) -> None: ...
    def many(*numbers: int) -> int:
        return sum(numbers)

    def generator() -> Any:
        yield 1

    for fn, text in (
        (wrapper, "functools.wraps"),
        (named, "take a dict instead"),
        (needed, "needs 'y' by name"),
        (generator, "return a list"),
    ):
        with pytest.raises(InvalidArgumentError, match=text):
            app.activity(fn)
    app.activity(optional)
    app.activity(many)

    @app.activity
    @functools.wraps(blocking)
    def wrapped(*args: Any, **kwargs: Any) -> str:
        return blocking(*args, **kwargs)

    assert activity_definition_of(wrapped).parameter_types == (int,)

    with pytest.raises(InvalidArgumentError, match=r"workflow class .*Keyed needs 'y' by name"):

        @app.workflow
        class Keyed:
            async def run(self, *, y: int) -> None: ...


def test_apps_need_a_name_and_a_queue() -> None:
    with pytest.raises(InvalidArgumentError, match="name must not be empty"):
        App("")
    with pytest.raises(InvalidArgumentError, match="task_queue"):
        App("a", task_queue="")


async def types_are_those_of_the_function() -> None:
    """Checked by mypy, not run."""
    app = App("a")
    assert_type(await app.activity(plain)(1), float)
    assert_type(await app.activity(blocking)(1), str)
    assert_type(await app.activity(start_to_close=1)(plain)(1, y=""), float)
    assert_type(await app.activity(start_to_close=1)(blocking).options(heartbeat=1)(1), str)
    assert_type(await app.workflow(plain)(1), float)
    assert_type(await app.workflow(run_timeout=1)(plain).options(id="x")(1, ""), float)
    await app.activity(plain)("1")  # type: ignore[arg-type]
    await app.activity(plain).options(heartbeat=1)()  # type: ignore[call-arg]
    await app.workflow(plain)(1, 2)  # type: ignore[arg-type]


# --- workflows


def test_workflow_functions() -> None:
    app = App("a", failure_types=(Refused,))
    declared = app.workflow(plain)
    definition = workflow_definition_of(declared)
    assert (declared.name, declared.fn, definition.fn) == ("plain", plain, plain)
    assert definition.options.failure_types == (Refused,)
    assert app.workflows == {"plain": definition}
    with pytest.raises(InvalidArgumentError, match=r"client.start\(plain, ...\)"):
        declared(1).close()

    child = declared.options(
        id="c",
        parent_close="abandon",
        task_queue="q",
        run_timeout=1,
        retry=Retry(max_attempts=2),
        id_reuse="reject",
        cancellation="try",
        memo={"a": 1},
    )
    options = child.options(namespace="n").__perdure_options__
    assert (options.id, options.task_queue, options.namespace, options.memo) == ("c", "q", "n", {"a": 1})
    assert (options.run_timeout_ns, options.retry_policy) == (SECOND, RetryPolicy(max_attempts=2))
    assert (options.parent_close, options.id_reuse) == (ParentClose.ABANDON, IdReuse.REJECT)
    assert options.cancellation is CancellationType.TRY_CANCEL
    assert app.task_queues == {"default", "q"}
    with pytest.raises(InvalidArgumentError, match="'terminate', 'abandon', 'cancel'"):
        declared.options(parent_close="leave")  # type: ignore[arg-type]


def test_workflow_classes_stay_classes() -> None:
    app = App("a")

    @app.workflow(name="loan", execution_timeout=timedelta(days=1), task_queue="loans", failure_types=(Refused,))
    class Loan:
        async def run(self, amount: int) -> str:
            return ""

    assert_type(Loan, type[Loan])
    definition = workflow_definition_of(Loan)
    assert (definition.name, definition.cls) == ("loan", Loan)
    assert definition.options.execution_timeout_ns == 86_400 * SECOND
    assert definition.options.failure_types == (Refused,)
    assert app.task_queues == {"default", "loans"}


# --- build ids

PROGRAM = """
import sys
from perdure.sdk.app import App
app = App("a")
LIMIT = 3

def helper(x):
    return x in {"a", "b", "c"} and {helper_value}

@app.activity
async def act(x: int) -> int:
    return {activity_value}

@app.workflow
async def flow(x: int) -> int:
    # {comment}
    if helper(x):
        return await act({flow_value})
    return LIMIT

@app.workflow
class Thing:
    @property
    def late(self) -> bool:
        return {property_value}
    async def run(self) -> int:
        return 1

if __name__ == "__main__":
    print(app.build_id)
"""


def build_id(tmp_path: Any, *command: str, **changes: str) -> str:
    values = {
        "helper_value": "1",
        "activity_value": "1",
        "flow_value": "1",
        "property_value": "True",
        "comment": "a",
    }
    text = PROGRAM
    for name, value in (values | changes).items():
        text = text.replace(f"{{{name}}}", value)
    (tmp_path / "program.py").write_text(text)
    command = command or ("program.py",)
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_build_id_is_that_of_the_workflows_code(tmp_path: Any) -> None:
    first = build_id(tmp_path)
    assert len(first) == 12
    assert build_id(tmp_path) == first
    assert build_id(tmp_path, comment="a much longer comment\n    # in two lines") == first
    # How the file came to be loaded makes no difference, nor does what activities do.
    assert build_id(tmp_path, "-c", "import program; print(program.app.build_id)") == first
    assert build_id(tmp_path, activity_value="2") == first
    changed = {build_id(tmp_path, **{name: "2"}) for name in ("helper_value", "flow_value", "property_value")}
    assert len(changed - {first}) == 3


def test_a_build_id_may_be_chosen() -> None:
    assert App("a", build_id="v7").build_id == "v7"


# --- retries


def test_retry_policies() -> None:
    assert Retry().policy == RetryPolicy()
    assert Retry(non_retryable=Refused).policy.non_retryable == ("Refused",)  # type: ignore[arg-type]
    assert Retry(non_retryable="Refused").policy.non_retryable == ("Refused",)  # type: ignore[arg-type]
    assert Retry(initial=timedelta(milliseconds=5), maximum=1).policy.initial_ns == 5_000_000
    for options, text in (
        ({"initial": -1}, "must not be negative"),
        ({"maximum": 0.5}, "at least initial"),
        ({"backoff": 0.5}, "at least 1"),
        ({"backoff": float("nan")}, "at least 1"),
        ({"max_attempts": -1}, "whole number"),
        ({"max_attempts": 1.5}, "whole number"),
        ({"max_attempts": True}, "whole number"),
        ({"initial": "soon"}, "not a duration"),
        ({"non_retryable": (3,)}, "exception classes or their names"),
    ):
        with pytest.raises(InvalidArgumentError, match=text):
            Retry(**options)


# --- activities by themselves


async def test_activities_can_be_run_by_themselves_in_tests() -> None:
    app = App("a")
    beats: list[int] = []

    @app.activity
    async def counts(up_to: int) -> int:
        for n in range(activity.info().heartbeat_details or 0, up_to):
            activity.heartbeat(n + 1)
        return activity.info().attempt

    assert await activity.run_for_test(counts, 5, heartbeat_details=3, attempt=2, on_heartbeat=beats.append) == 2
    assert beats == [4, 5]
    assert not activity.in_activity()

    def where(x: int) -> tuple[str, str]:
        return activity.info().activity_type, activity.info().workflow_id

    assert activity.run_for_test(where, 1) == ("where", "test-workflow")
    with pytest.raises(BaseException, match="cancelled"):
        await activity.run_for_test(counts, 5, cancelled=True)
    for call in (activity.info, activity.heartbeat, activity.cancelled, activity.raise_complete_later):
        with pytest.raises(InvalidArgumentError, match="only inside a running activity"):
            call()


def test_info_and_logger(caplog: pytest.LogCaptureFixture) -> None:
    def logs() -> activity.ActivityInfo:
        activity.logger.warning("hello %s", "you", extra={"own": 1})
        return activity.info()

    info = activity.run_for_test(logs)
    record: Any = caplog.records[0]
    assert record.getMessage() == "hello you"
    assert (record.workflow_id, record.activity_type, record.attempt, record.own) == ("test-workflow", "logs", 1, 1)
    assert (info.deadline, info.heartbeat_timeout, info.heartbeat_details) == (None, None, None)
    assert info.idempotency_key == "test-run:1"
    activity.logger.warning("outside")
    assert not hasattr(caplog.records[1], "workflow_id")
