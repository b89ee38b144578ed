"""A pytest plugin for tests of workflows.

- ``perdure_environment`` opens environments and closes them when the test ends.
- ``perdure_faults`` are faults for an environment, drawn from a seed that is new with each run of the tests and printed
  when the test fails.
- ``--perdure-seed`` runs one seed only, of these and of ``@testing.seeds``; ``--perdure-seeds`` says how many the latter
  runs; ``--perdure-store`` where environments keep their runs, for instance ``sqlite://``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from random import SystemRandom
from typing import Any

import pytest

from perdure.testing.environment import Environment, environment
from perdure.testing.faults import Faults
from perdure.testing.seeds import Selection, story

OpenEnvironment = Callable[..., Awaitable[Environment]]


async def _environments() -> AsyncIterator[OpenEnvironment]:
    async with AsyncExitStack() as stack:

        async def open_environment(*apps: Any, **options: Any) -> Environment:
            return await stack.enter_async_context(environment(*apps, **options))

        yield open_environment


try:
    import pytest_asyncio
except ImportError:
    pass
else:
    perdure_environment = pytest_asyncio.fixture(_environments, name="perdure_environment")


@pytest.fixture
def perdure_faults() -> Faults:
    """Faults of a seed drawn for this test."""
    return Faults(SystemRandom().randrange(1, 1_000_000) if Selection.seed is None else Selection.seed)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("perdure")
    group.addoption("--perdure-seed", type=int, metavar="SEED", help="run tests with faults under this seed only")
    group.addoption("--perdure-seeds", type=int, metavar="COUNT", help="run @testing.seeds tests under so many seeds")
    group.addoption(
        "--perdure-store", metavar="URL", help="the store of environments: sqlite:// is a temporary file for each"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say what the plugin offers, and take the options."""
    config.addinivalue_line("markers", "perdure: a test of a workflow")
    Selection.seed = config.getoption("--perdure-seed")
    Selection.count = config.getoption("--perdure-seeds")
    Selection.store = config.getoption("--perdure-store")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print the seed of a test that fails."""
    report = yield
    faults = getattr(item, "funcargs", {}).get("perdure_faults")
    if report.when == "call" and report.failed and isinstance(faults, Faults):
        text = f"seed {faults.seed}\n{story(faults)}\nrun it again: pytest '{item.nodeid}' --perdure-seed={faults.seed}"
        report.sections.append(("faults", text))
    return report
