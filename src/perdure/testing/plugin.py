"""A pytest plugin: the fixture ``perdure_environment`` opens environments and closes them when the test ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from perdure.testing.environment import Environment, environment

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


def pytest_configure(config: pytest.Config) -> None:
    """Say what the plugin offers."""
    config.addinivalue_line("markers", "perdure: a test of a workflow")
