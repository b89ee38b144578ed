"""Effects of one batch happen in order, and one may ask about a run whose own effect comes later."""

import asyncio

import pytest

from perdure.app import store_of
from perdure.engine.clock import SystemClock
from perdure.engine.service import EngineService
from perdure.kernel.commit import Reason, Rejection
from perdure.model.ids import RunAddress
from perdure.model.requests import CompleteActivity, SignalWorkflow, StartWorkflow


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (CompleteActivity(99, 1), Reason.STALE),  # refused, on what the run is like
        (SignalWorkflow("go", request_id="again"), None),  # a repeat, which changes nothing
    ],
)
async def test_an_effect_asks_about_a_run_whose_effect_comes_later_in_the_batch(tmp_path, store, question, answer):
    url = "memory://" if store == "memory" else f"sqlite:///{tmp_path / 'work.db'}"
    service = EngineService(store_of(url), SystemClock(asyncio.get_running_loop()), None)
    await service.open()
    try:
        engine = service.engine
        for name in ("first", "second"):
            await service.start("default", StartWorkflow(name, "Order"))
        first, second = (RunAddress("default", name) for name in ("first", "second"))
        await service.request(second, SignalWorkflow("go", request_id="again"))
        order: list[str] = []
        asked: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def told(outcome: object) -> None:
            order.append("question")
            asked.set_result(outcome)

        def first_is_written(outcome: object) -> None:
            order.append("first")
            engine.submit(second, question, told)

        # Both in one go of the loop, so in one batch.
        engine.submit(first, SignalWorkflow("go"), first_is_written)
        engine.submit(second, SignalWorkflow("go"), lambda outcome: order.append("second"))
        outcome = await asked
        assert order == ["first", "second", "question"], "what is asked is answered when it is durable"
        assert (outcome.reason if isinstance(outcome, Rejection) else outcome) == answer
    finally:
        await service.close()
