"""Every story here is told on each store."""

from contextlib import asynccontextmanager

import pytest

import perdure


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request, tmp_path):
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'work.db'}"


@pytest.fixture
def opened(store_url):
    """Open apps on the store of this test."""

    @asynccontextmanager
    async def open_apps(*apps, **options):
        async with perdure.open(*apps, store=store_url, **options) as client:
            yield client

    return open_apps


async def events_of(run):
    """The names of a run's events, in order."""
    return [event.type async for event in run.history()]
