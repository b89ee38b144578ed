"""Spans as a collector gets them: by OTLP, from the caller down to the last activity, each once."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from opentelemetry import trace
from tests.observability.receiver import otlp_receiver

import perdure
from perdure import activity, workflow
from perdure.app.server import Server
from perdure.model.requests import StartWorkflow
from perdure.model.service import StartResult
from perdure.model.trace_context import run_span_id
from perdure.observability.firings import traced_entrance

app = perdure.App("traced")
here = trace.get_tracer("tests")
seen: list[trace.SpanContext] = []


@app.activity(retry=perdure.Retry(initial=0.001, max_attempts=2))
async def shaky(name: str) -> str:
    seen.append(trace.get_current_span().get_span_context())
    if activity.info().attempt == 1:
        raise ValueError("not yet")
    return name


@app.activity
def in_a_thread(name: str) -> str:
    seen.append(trace.get_current_span().get_span_context())
    return name


@app.workflow
async def child(name: str) -> str:
    return await in_a_thread(name)


@app.workflow
async def parent(name: str) -> str:
    await shaky(name)
    await workflow.receive("go") if name == "waits" else None
    return await child(name)


@app.workflow
async def again(left: int) -> int:
    if left:
        workflow.continue_as_new(left - 1)
    return await asyncio.sleep(0, 0)


@app.workflow
async def broken() -> None:
    raise perdure.ApplicationError("no luck", type="Luck")


@pytest.fixture(autouse=True)
def forget():
    seen.clear()


@asynccontextmanager
async def traced(store_url, **options):
    """A client with tracing, and all spans that arrive."""
    with otlp_receiver() as received:
        tracing = perdure.Tracing(received.url, service_name="shop", **options)
        trace_of_test = tracing.provider.get_tracer("tests")

        @asynccontextmanager
        async def opened(settings=None):
            async with perdure.open(app, store=store_url, tracing=tracing, settings=settings) as client:
                yield client
            await asyncio.to_thread(tracing.provider.force_flush)

        try:
            yield opened, trace_of_test, received
        finally:
            await asyncio.to_thread(tracing.close)


async def test_a_trace_goes_from_the_caller_to_the_childs_activity(store_url):
    async with traced(store_url) as (opened, tracer, received):
        async with opened() as client:
            with tracer.start_as_current_span("checkout"):
                assert await client.execute(parent, "order", id="order-1") == "order"
    checkout, call = received.one("checkout"), received.one("ExecuteWorkflow:parent")
    run, child_run = received.one("RunWorkflow:parent"), received.one("RunWorkflow:child")
    first, second = (received.one("RunActivity:shaky", attempt=attempt) for attempt in (1, 2))
    last = received.one("RunActivity:in_a_thread")
    assert {span.trace_id for span in received.spans} == {checkout.trace_id}
    assert call.parent_id == checkout.id
    assert run.parent_id == call.id
    assert first.parent_id == second.parent_id == child_run.parent_id == run.id
    assert last.parent_id == child_run.id
    assert [f"{context.span_id:016x}" for context in seen] == [first.id, second.id, last.id]
    assert first.failed and first.attributes["error.type"] == "ValueError"
    assert not second.failed and not run.failed
    assert run.start <= child_run.start <= child_run.end <= run.end
    assert run.attributes["perdure.workflow_id"] == "order-1"
    assert run.attributes["perdure.status"] == "completed"
    assert call.attributes["perdure.run_id"] == run.attributes["perdure.run_id"]
    assert {span.service for span in received.spans} == {"shop"}


async def test_a_replay_makes_no_span_twice(tmp_path):
    """The run is forgotten at every wait, and once the whole process is."""
    async with traced(f"sqlite:///{tmp_path / 'runs.db'}") as (opened, _, received):
        async with opened(perdure.Settings(resident_runs=0)) as client:
            run = await client.start(parent, "waits", id="order-1")
            while not await is_waiting(run):
                await asyncio.sleep(0.01)
        async with opened(perdure.Settings(resident_runs=0)) as client:
            run = client.get("order-1")
            await run.signal("go", 1)
            assert await run.result() == "waits"
    names = sorted(span.name for span in received.spans)
    assert names == [
        "RunActivity:in_a_thread",
        "RunActivity:shaky",
        "RunActivity:shaky",
        "RunWorkflow:child",
        "RunWorkflow:parent",
        "SignalWorkflow:go",
        "StartWorkflow:parent",
    ]
    ids = [span.id for span in received.spans]
    assert len(ids) == len(set(ids))
    signal = received.one("SignalWorkflow:go")
    assert {span.trace_id for span in received.spans if span is not signal} == {
        received.one("StartWorkflow:parent").trace_id
    }


async def is_waiting(run):
    types = [event.type async for event in run.history()]
    return "ActivityTaskCompleted" in types and types[-1] == "WorkflowTaskCompleted"


async def test_a_run_that_continues_is_linked_to_the_one_before(store_url):
    async with traced(store_url) as (opened, _, received):
        async with opened() as client:
            await client.execute(again, 1)
    call = received.one("ExecuteWorkflow:again")
    before = received.one("RunWorkflow:again", status="continued_as_new")
    after = received.one("RunWorkflow:again", status="completed")
    assert before.parent_id == after.parent_id == call.id
    assert (before.links, after.links) == ([], [before.id])


async def test_a_failed_run_is_a_failed_span(store_url):
    async with traced(store_url) as (opened, _, received):
        async with opened() as client:
            with pytest.raises(perdure.WorkflowFailedError):
                await client.execute(broken)
    assert received.one("RunWorkflow:broken").failed


async def test_what_nobody_samples_is_not_exported_but_its_ids_go_along(store_url):
    async with traced(store_url, sample_ratio=0) as (opened, _, received):
        async with opened() as client:
            await client.execute(child, "order")
    assert received.spans == []
    assert seen[0].is_valid and not seen[0].trace_flags.sampled


async def test_without_tracing_nothing_is_carried(store_url):
    async with perdure.open(app, store=store_url) as client:
        run = await client.start(child, "order")
        await run.result()
        headers = [event.attributes["header"] async for event in run.history() if "header" in event.attributes]
    assert headers == [None, None]  # of the run and of its activity


async def test_a_history_with_a_trace_replays(store_url):
    async with traced(store_url) as (opened, _, received):
        async with opened() as client:
            run = await client.start(parent, "order")
            await run.result()
            history = await run.fetch_history()
    assert received.one("RunWorkflow:parent").id == run_span_id(run.run_id)
    perdure.replay(app, history)


async def test_a_collector_that_is_not_there_holds_nobody_up(store_url, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    tracing = perdure.Tracing("http://127.0.0.1:9", service_name="shop")
    async with perdure.open(app, store=store_url, tracing=tracing) as client:
        assert await client.execute(child, "order") == "order"
    await asyncio.to_thread(tracing.close)


@pytest.mark.parametrize("wrong", [{"endpoint": "localhost:4318"}, {"sample_ratio": 1.5}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(perdure.InvalidArgumentError, match=next(iter(wrong))):
        perdure.Tracing(**wrong)


async def test_a_trace_goes_over_a_server_and_its_worker(tmp_path):
    """Three places with a Tracing each, as if they were three processes."""
    with otlp_receiver() as received:
        places = {name: perdure.Tracing(received.url, service_name=name) for name in ("caller", "server", "worker")}
        store = f"sqlite:///{tmp_path / 'runs.db'}"
        server = Server(store, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", tracing=places["server"])
        await server.open()
        try:
            url = f"grpc://127.0.0.1:{server.grpc_port}"
            async with await perdure.connect(url, app, tracing=places["caller"]) as client:
                async with perdure.Worker(client, app, tracing=places["worker"]):
                    assert await client.execute(parent, "order") == "order"
        finally:
            await server.close()
            for place in places.values():
                await asyncio.to_thread(place.close)
    call, run = received.one("ExecuteWorkflow:parent"), received.one("RunWorkflow:parent")
    child_run, last = received.one("RunWorkflow:child"), received.one("RunActivity:in_a_thread")
    assert [span.service for span in (call, run, child_run, last)] == ["caller", "server", "server", "worker"]
    assert [span.parent_id for span in (run, child_run, last)] == [call.id, run.id, child_run.id]
    assert {span.trace_id for span in received.spans} == {call.trace_id}


async def test_each_run_of_a_schedule_is_a_trace_of_its_own(tmp_path):
    """From the firing, by a worker elsewhere, down to the child's activity; whatever way the schedule starts its runs."""
    with otlp_receiver() as received:
        places = {name: perdure.Tracing(received.url, service_name=name) for name in ("server", "worker")}
        store = f"sqlite:///{tmp_path / 'runs.db'}"
        server = Server(store, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", tracing=places["server"])
        await server.open()
        try:
            async with await perdure.connect(server.url, app) as client:
                async with perdure.Worker(client, app, tracing=places["worker"]):
                    schedule = await client.schedules.create("nightly", parent, "order", every=timedelta(days=9))
                    for fired, overlap in enumerate(("allow_all", "terminate_other", "skip"), 1):
                        await schedule.trigger(overlap=overlap)
                        while await client.count("ExecutionStatus = 'Completed' AND WorkflowType = 'parent'") < fired:
                            await asyncio.sleep(0.01)
        finally:
            await server.close()
            for place in places.values():
                await asyncio.to_thread(place.close)
    firings = received.named("StartWorkflow:parent", schedule_id="nightly")
    assert len(firings) == 3 == len({firing.trace_id for firing in firings})
    for firing in firings:
        trace_of = [span for span in received.spans if span.trace_id == firing.trace_id]
        named = {span.name: span for span in trace_of}
        run, child_run = named["RunWorkflow:parent"], named["RunWorkflow:child"]
        assert (firing.parent_id, firing.service) == ("", "server")
        assert run.parent_id == firing.id and child_run.parent_id == run.id
        assert named["RunActivity:in_a_thread"].parent_id == child_run.id
        assert named["RunActivity:in_a_thread"].service == "worker"
        assert firing.attributes["perdure.run_id"] == run.attributes["perdure.run_id"]
        assert firing.start <= run.start
        assert sorted(span.name for span in trace_of).count("RunActivity:shaky") == 2


async def test_what_a_schedule_starts_is_sampled_like_the_rest(store_url):
    async with traced(store_url, sample_ratio=0) as (opened, _, received):
        async with opened() as client:
            schedule = await client.schedules.create("s", child, "order", every=timedelta(days=9))
            await schedule.trigger()
            while not seen:
                await asyncio.sleep(0.01)
    assert received.spans == []
    assert seen[0].is_valid and not seen[0].trace_flags.sampled


async def test_a_start_that_comes_twice_is_one_trace():
    kept = []

    def enter(namespace, request, started):
        kept.append(request.header)
        started(StartResult("r", True))

    with otlp_receiver() as received:
        tracing = perdure.Tracing(received.url)
        entrance = traced_entrance(enter, tracing, lambda: 1)
        for _ in range(2):
            entrance("default", StartWorkflow("s-1", "child", request_id="k//1"), lambda outcome: None)
        entrance("default", StartWorkflow("s-2", "child", request_id="k//2"), lambda outcome: None)
        entrance("default", StartWorkflow("s-3", "child", request_id="k//3", header=kept[0]), lambda outcome: None)
        await asyncio.to_thread(tracing.close)
    assert kept[0] == kept[1] == kept[3] != kept[2]
    assert len({span.id for span in received.spans}) == 2 and len(received.spans) == 3


async def test_a_call_over_rest_belongs_to_the_trace_in_its_headers(tmp_path):
    with otlp_receiver() as received:
        tracing = perdure.Tracing(received.url, service_name="server")
        server = Server(
            f"sqlite:///{tmp_path / 'runs.db'}",
            rest_address="127.0.0.1:0",
            grpc_address="127.0.0.1:0",
            tracing=tracing,
        )
        await server.open()
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.rest_port}/api/v1") as http:
                traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
                body = {"workflow_id": "order-1", "workflow_type": "child", "task_queue": "default", "input": ["x"]}
                answer = await http.post(
                    "/namespaces/default/workflows", json=body, headers={"traceparent": traceparent}
                )
                assert answer.status_code in (200, 201), answer.text
        finally:
            await server.close()
            await asyncio.to_thread(tracing.close)
    call = received.one("StartWorkflow:child")
    assert (call.trace_id, call.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
