"""What an operator asks at night is answered by a live server: with workers, clients over gRPC and REST, retries, bugs, a
breaker that opens and a queue that grows."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.observability.scene import app, buggy, calls, waits, works

import perdure
from perdure.app.access import Access, FileSession, file_administration
from perdure.app.server import Server
from perdure.observability.catalogue import METRICS, Kind
from perdure.protocols.worker import worker_pb2 as pb
from perdure.protocols.worker.streams import CALL, WORK

# The words of the list, and the series that answer; the values that some must have at least in the scene below.
NIGHT = {
    "start rates": ["perdure_workflows_started_total"],
    "close rates": ["perdure_workflows_closed_total", "perdure_activities_closed_total"],
    "schedule-to-start latency": ["perdure_schedule_to_start_seconds_count"],
    "backlog age": ["perdure_backlog_oldest_seconds", "perdure_backlog_tasks"],
    "commit latency": ["perdure_commit_seconds_count"],
    "batch size": ["perdure_batch_commits_sum"],
    "cache hits": ["perdure_run_cache_hits_total"],
    "shard state": ["perdure_shard_state"],
    "retries": ["perdure_activity_retries_total"],
    "breaker states": ["perdure_circuit_breaker_state"],
    "workers": ["perdure_workers_connected", "perdure_pollers", "perdure_worker_slots", "perdure_grpc_streams"],
    "gRPC": ["perdure_grpc_calls_total", "perdure_grpc_call_seconds_count", "perdure_grpc_worker_messages_total"],
    "gRPC streams": ["perdure_grpc_streams_ended_total"],
    "REST": ["perdure_http_requests_total", "perdure_http_request_seconds_count"],
    "bugs": ["perdure_workflow_task_failures_total"],
}

# Of nothing that is in a healthy server's scene; they are there as zeros.
ZERO = {
    *("perdure_run_cache_misses_total", "perdure_run_cache_evictions_total", "perdure_program_replays_total"),
    *("perdure_batch_failures_total", "perdure_runs_parked", "perdure_commits_under_way", "perdure_messages_under_way"),
    "perdure_http_errors_total",  # of AWS's interface alone
    *("perdure_nexus_operations_scheduled_total", "perdure_nexus_operations_closed_total"),
    *("perdure_nexus_operation_retries_total", "perdure_nexus_operation_duration_seconds"),
    *("perdure_timers_armed", "perdure_task_queue_running", "perdure_waiting_workflow_tasks"),
}


class Scrape:
    """All samples of a server's page."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self.samples = [sample for family in families for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        return sum(one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items())


@pytest.fixture
async def night(store_url):
    """The scene, and a way to look at it."""
    token = ""
    access = Access(authentication="tokens" if store_url.startswith("sqlite") else "none")
    if access.has_authentication:
        async with file_administration(store_url) as administration:
            _, token = await administration.create_token(FileSession("me"), "file", "root", ["admin"], 0)
    server = Server(store_url, rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", access=access)
    await server.open()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        async with (
            httpx.AsyncClient(base_url=server.url, headers=headers) as http,
            await perdure.connect(server.url, app, token=token) as client,
            perdure.Worker(client, app),
        ):

            async def look() -> Scrape:
                answer = await http.get("/metrics")
                assert answer.status_code == 200, answer.text
                return Scrape(answer.text)

            await client.execute(works, 2)
            with pytest.raises(perdure.WorkflowFailedError):
                await client.execute(calls)
            await client.start(buggy)
            await client.start(waits)
            with pytest.raises(perdure.NotFoundError):
                await client.get("nobody").describe()
            await client.task_queues.pause("default", "lunch")
            await client.start(works, 0)
            if token:
                await refused(server)
            while (await look()).total("perdure_backlog_oldest_seconds") == 0:
                await asyncio.sleep(0.01)
            while not (await look()).total("perdure_workflow_task_failures_total"):
                await asyncio.sleep(0.01)
            yield look, client, bool(token)
    finally:
        await server.close()


async def refused(server: Server) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        for method in (WORK, CALL):
            stream: Any = channel.stream_stream(method, response_deserializer=pb.Answers.FromString)()
            assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_each_word_of_the_list_has_its_numbers(night):
    look, _, has_token = night
    scrape = await look()
    for words, names in NIGHT.items():
        for name in names:
            if name == "perdure_grpc_streams_ended_total" and not has_token:
                continue  # nobody was refused, and nobody has gone
            assert scrape.total(name) > 0, (words, name)
    assert scrape.total("perdure_activity_retries_total", activity_type="shaky") == 2
    assert scrape.total("perdure_circuit_breaker_state", activity_type="down", state="open") == 1
    assert scrape.total("perdure_shard_state", state="owned") == 1
    assert scrape.total("perdure_workers_connected") == 1
    assert scrape.total("perdure_grpc_streams", method="Work") == 1
    assert scrape.total("perdure_grpc_streams", method="Call") == 1
    assert scrape.total("perdure_grpc_calls_total", operation="describe", code="NotFoundError") == 1
    executed = scrape.total("perdure_grpc_calls_total", operation="execute") + scrape.total(
        "perdure_grpc_calls_total", operation="start"
    )
    assert executed == 5
    assert scrape.total("perdure_grpc_calls_total") == scrape.total("perdure_grpc_call_seconds_count")
    if has_token:
        for method in ("Work", "Call"):
            assert scrape.total("perdure_grpc_streams_ended_total", method=method, code="unauthenticated") == 1


async def test_no_metric_of_the_catalogue_stays_silent(night):
    look, _, has_token = night
    scrape = await look()
    shown = {sample.name for sample in scrape.samples}
    for metric in METRICS:
        name = metric.name + ("_count" if metric.kind is Kind.HISTOGRAM else "")
        if metric.name in ZERO or (metric.name == "perdure_grpc_streams_ended_total" and not has_token):
            continue
        assert name in shown, f"nothing shows {metric.name}"


async def test_who_goes_away_is_counted_and_no_longer_there(night):
    look, client, _ = night
    await client.close()
    while (await look()).total("perdure_grpc_streams"):
        await asyncio.sleep(0.01)
    scrape = await look()
    assert scrape.total("perdure_workers_connected") == 0
    assert scrape.total("perdure_grpc_streams_ended_total", method="Call") >= 1
    assert scrape.total("perdure_grpc_streams_ended_total", method="Work") >= 1


async def test_made_up_operations_make_no_labels(night):
    look, client, _ = night
    stream = await client._service.connection.carrier.stream(CALL)
    await stream.admitted()
    answered: asyncio.Queue[int] = asyncio.Queue()
    listening = asyncio.create_task(
        stream.listen(lambda batch: answered.put_nowait(len(pb.Answers.FromString(batch).answers)))
    )
    for number in range(1, 50):
        stream.say(pb.Call(id=number, operation=f"erase-{number}", arguments=b"\x90").SerializeToString())
    answers = 0
    while answers < 49:
        answers += await answered.get()
    listening.cancel()
    stream.close()
    scrape = await look()
    assert scrape.total("perdure_grpc_calls_total", operation="other", code="InvalidArgumentError") == 49
    assert not [one for one in scrape.samples if "erase" in str(one.labels)]
