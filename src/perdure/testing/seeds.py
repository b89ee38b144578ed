"""One scenario under many seeds: ``check`` and, for test functions, ``seeds``."""

import asyncio
import functools
import inspect
import os
import random
import sys
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

from perdure.model.errors import InvalidArgumentError
from perdure.testing.faults import Faults
from perdure.testing.virtual_loop import VirtualLoop

Scenario = Callable[[Faults], Awaitable[object]]

SECONDS_OF_A_SEED = 20.0


class Selection:
    """What the command line asks for in place of what the tests say: exactly ``seed``, or ``count`` seeds; and the URL
    of the ``store`` for environments that name none."""

    seed: int | None = None
    count: int | None = None
    store: str | None = None


def check(
    scenario: Scenario, seeds: int | Iterable[int] = 1000, *, at_most: int = 3, seconds: float = SECONDS_OF_A_SEED
) -> None:
    """Run a scenario once for each seed, with the faults that the seed draws; stop at the first that fails.

    Each seed has an event loop of its own whose time is virtual, also for ``asyncio.sleep``, so the same seed gives the
    same run. The ``random`` module is seeded too.

    Args:
        scenario: opens environments with the ``Faults`` it is given, and asserts what must be true.
        seeds: how many, from 0 on, or which. Seed 0 has no faults.
        at_most: how many faults a seed may draw.
        seconds: of real time that one seed may take.

    Raises:
        Exception: whatever the scenario raised, with notes that say which seed it was, what was done to it, and how to
            run it again. ``TimeoutError``, if everything waits for what never comes, or a seed takes too long.
        InvalidArgumentError: called inside of an event loop, or there are no seeds.
    """
    _run_all(scenario, seeds, at_most, seconds, _name_of(scenario))


def seeds(count: int | Iterable[int] = 1000, *, at_most: int = 3, seconds: float = SECONDS_OF_A_SEED) -> Any:
    """Run a test function under many seeds: ``@testing.seeds(1000)`` over ``async def test_it(faults): ...``.

    The arguments are those of ``check``. ``--perdure-seed`` on pytest's command line chooses one seed,
    ``--perdure-seeds`` how many. Other parameters of the function are fixtures, as ever, shared by all seeds.
    """

    def decorate(test: Callable[..., Awaitable[object]]) -> Callable[..., None]:
        parameters = inspect.signature(test).parameters
        if not inspect.iscoroutinefunction(test) or "faults" not in parameters:
            raise InvalidArgumentError(f"@testing.seeds is for 'async def {test.__name__}(faults)'")

        @functools.wraps(test)
        def run(*args: Any, **fixtures: Any) -> None:
            chosen = count if Selection.count is None else Selection.count
            if Selection.seed is not None:
                chosen = [Selection.seed]
            _run_all(lambda faults: test(*args, faults=faults, **fixtures), chosen, at_most, seconds, "")

        others = [parameter for name, parameter in parameters.items() if name != "faults"]
        run.__signature__ = inspect.Signature(others)  # type: ignore[attr-defined]
        return run

    return decorate


def _run_all(scenario: Scenario, seeds: int | Iterable[int], at_most: int, seconds: float, name: str) -> None:
    chosen = list(range(seeds) if isinstance(seeds, int) else seeds)
    if not chosen:
        raise InvalidArgumentError("check(seeds=...) needs at least one seed")
    if asyncio._get_running_loop() is not None:
        raise InvalidArgumentError("testing.check runs event loops of its own: call it from a plain function")
    for seed in chosen:
        faults = Faults(seed, at_most=at_most)
        try:
            run_seed(scenario, faults, seconds)
        except BaseException as error:  # pytest.fail() raises one that is no Exception
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            text = f"seed {seed} fails, {_of(len(chosen))}\n{story(faults)}\nrun it again: {again(seed, name)}"
            error.add_note(text)
            print(text, file=sys.stderr)
            raise


def run_seed(scenario: Scenario, faults: Faults, seconds: float = SECONDS_OF_A_SEED) -> None:
    """Run a scenario once, on a loop of its own."""
    state = random.getstate()
    random.seed(faults.seed)
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(_watched(scenario(faults), seconds))
    finally:
        random.setstate(state)


async def _watched(scenario: Awaitable[object], seconds: float) -> None:
    """Wait for the scenario, but not for ever."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    until = monotonic() + seconds
    given_up: asyncio.Future[str] = loop.create_future()

    def give_up(reason: str) -> None:
        if not given_up.done():
            given_up.set_result(reason)

    def look_at_watch() -> None:
        if monotonic() > until:
            give_up(f"the seed takes longer than {seconds:g} seconds")

    loop.on_stuck = lambda: give_up("everything waits for something that never comes")
    loop.on_round = look_at_watch
    running = asyncio.ensure_future(scenario)
    both: list[asyncio.Future[Any]] = [running, given_up]
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        stand = [line for lodger in loop.lodgers for line in await lodger.explain()]
        running.cancel()
        await asyncio.wait([running])
        raise TimeoutError("\n".join([given_up.result(), *stand]))
    running.result()


def story(faults: Faults) -> str:
    """What was done to a run, in lines."""
    return "\n".join(f"  - {what}" for what in faults.happened or ["nothing went wrong: it fails without any fault"])


def again(seed: int, name: str) -> str:
    """The line that runs a seed again."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
    if test and not name:
        return f"pytest '{test}' --perdure-seed={seed}"
    return f"testing.check({name}, seeds=[{seed}])"


def _of(count: int) -> str:
    return "the only one" if count == 1 else f"one of {count:,}"


def _name_of(scenario: Scenario) -> str:
    return getattr(scenario, "__name__", repr(scenario))
