"""The interpreter's settings, which belong to the whole process."""

import gc
import sys
from contextlib import ExitStack

import perdure
from perdure.app.embedded import GC_THRESHOLD, tuned
from perdure.app.server import Server


def settings():
    return gc.get_threshold(), sys.getswitchinterval()


def test_they_are_put_back_by_the_last_who_needs_others():
    before = settings()
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(tuned())
        second.enter_context(tuned())
        inside = settings()
        first.close()
        assert settings() == inside != before and inside[0] == GC_THRESHOLD
    assert settings() == before


async def test_a_worker_can_leave_them_alone(tmp_path):
    app = perdure.App("tuned")

    @app.activity
    def work() -> None:
        pass

    before = settings()
    server = Server(f"sqlite:///{tmp_path / 'w.db'}", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
    await server.open()
    client = await perdure.connect(server.url)
    left_alone, worker = perdure.Worker(client, app, tune_interpreter=False), perdure.Worker(client, app)
    await left_alone.open()
    await worker.open()
    await client.close()
    await server.close()
    assert settings() != before
    await worker.close()
    assert settings() == before
    await left_alone.close()
