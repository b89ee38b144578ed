"""Every test here runs against every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.conformance.rooms import MemoryRoom, Room, SqliteRoom

from perdure.engine.ports import Store


@pytest.fixture(params=["memory", "sqlite"])
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Room:
    return MemoryRoom() if request.param == "memory" else SqliteRoom(tmp_path)


@pytest.fixture
async def store(room: Room) -> AsyncIterator[Store]:
    store = room.store()
    await store.open()
    yield store
    await store.close()
