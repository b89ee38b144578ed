"""Every test here that asks for a store gets each."""

from pathlib import Path

import pytest


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
