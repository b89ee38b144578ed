"""Thousands of small worlds, each another one.

PERDURE_SIM_SEEDS=20000 pytest tests/simulation      more of them
PERDURE_SIM_SEED=1234 pytest tests/simulation        exactly that one, with all that happened
"""

import os
import traceback

import pytest
from tests.simulation.simulator import Simulation
from tests.soaking import often

SEEDS = int(os.environ.get("PERDURE_SIM_SEEDS", often(2000)))
ONLY = os.environ.get("PERDURE_SIM_SEED", "")
GROUP = 50
"""How many seeds make one test, so that several processes share them evenly."""

TOLD = 60
"""How many of the last things that happened a failure tells."""


@pytest.mark.parametrize("first", [int(ONLY)] if ONLY else range(0, SEEDS, GROUP))
def test_nothing_is_lost(first: int) -> None:
    for seed in [first] if ONLY else range(first, min(first + GROUP, SEEDS)):
        try:
            Simulation(seed, tracing=bool(ONLY)).run()
        except Exception:
            pytest.fail(tell(seed), pytrace=False)


def test_the_same_seed_is_the_same_world() -> None:
    worlds = [Simulation(7, tracing=True), Simulation(7, tracing=True)]
    for world in worlds:
        world.run()
    assert worlds[0].trace
    assert [str(entry) for entry in worlds[0].trace] == [str(entry) for entry in worlds[1].trace]


def tell(seed: int) -> str:
    """What went wrong with a seed, and how to see it again."""
    world = Simulation(seed, tracing=True)
    try:
        world.run()
    except Exception:
        reason = traceback.format_exc()
    else:
        return f"Seed {seed} failed once and not again: something outside the seed decides."
    entries = world.trace if ONLY else world.trace[-TOLD:]
    lines = [f"step {step}, {seconds} s: {' '.join(map(str, what))}" for step, seconds, *what in entries]
    command = f"PERDURE_SIM_SEED={seed} python -m pytest tests/simulation -n 0"
    return "\n".join([f"Seed {seed} failed. To see all of it:", f"    {command}", "", *lines, "", reason])
