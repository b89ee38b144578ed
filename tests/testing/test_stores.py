"""Environments on other stores than memory: the same runs, the same faults, and a file that can be looked into."""

import subprocess
import sys

import pytest
from tests.testing.test_whole_engine import digest_of_seeds

import perdure
from perdure import App, testing, workflow
from perdure.testing.seeds import Selection

app = App("kept")


@app.activity
async def add(one: int, other: int) -> int:
    return one + other


@app.workflow
async def sums(numbers: list[int]) -> int:
    total = 0
    for number in numbers:
        total = await add(total, number)
        await workflow.sleep(3600)
    return total


def test_a_seed_gives_the_same_run_on_every_store(monkeypatch):
    digests = set()
    for store in ("memory://", "sqlite://"):
        monkeypatch.setattr(Selection, "store", store)
        digests.add(digest_of_seeds())
    assert len(digests) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_file_is_sound_after_crashes_and_can_be_looked_into(tmp_path, seed):
    path = tmp_path / "kept.db"
    faults = testing.Faults(seed, crash_at_commit=[2, 4, 7], lose_worker=[3])
    async with testing.environment(app, faults=faults, store=f"sqlite:///{path}") as env:
        assert await env.client.execute(sums, [1, 2, 3], id="sum") == 6
    assert len(faults.happened) == 4
    for command in (["verify", str(path)], ["show", str(path), "sum"]):
        done = subprocess.run([sys.executable, "-m", "perdure", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


async def test_an_environment_goes_on_where_another_one_ended(tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    async with testing.environment(app, store=url) as env:
        await env.client.start(sums, [1, 2], id="sum")
    async with testing.environment(app, store=url) as env:
        assert await env.client.get("sum", result_type=int).result() == 3


async def test_a_temporary_file_is_gone_with_its_environment(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with testing.environment(app, store="sqlite://") as env:
        assert await env.client.execute(sums, [1, 2]) == 3
        assert list(tmp_path.glob("*/*.db"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["postgres", "sqlite:///no/such/folder/x.db", "memory://x"])
async def test_a_store_that_cannot_be_opened_is_refused(url):
    with pytest.raises((perdure.InvalidArgumentError, perdure.StoreError)):
        async with testing.environment(app, store=url):
            raise AssertionError("opened")
