"""What is counted is what the store holds."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.observability.scene import again, buggy, calls, waits, watched_engine, watched_server, works

import perdure
from perdure.engine.encoding import decode
from perdure.model.events import ActivityAttemptFailed
from perdure.model.workers import ActivityGroup, Hello
from perdure.observability import catalogue
from perdure.observability.exposition import Exposition
from perdure.observability.series import OTHER, counts
from perdure.observability.watched import Watched

STATES = ("closed", "half-open", "open")


def scrape(watched: Watched) -> dict[tuple[str, frozenset], float]:
    body, _ = Exposition(watched, "1.2.3").render()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples.get((name, frozenset(labels.items())), 0.0)


async def test_runs_activities_and_retries_are_counted_by_what_they_are(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        client = embedded.client
        assert await client.execute(works, 2) == 3
        with pytest.raises(perdure.WorkflowFailedError):
            await client.execute(works, 5)
        await client.execute(again, 2)
        run = await client.start(waits)
        await run.terminate("enough")
        samples = scrape(watched)
    of = {"namespace": "default"}
    assert value(samples, "perdure_workflows_started_total", **of, workflow_type="works") == 2
    assert value(samples, "perdure_workflows_closed_total", **of, workflow_type="works", status="completed") == 1
    assert value(samples, "perdure_workflows_closed_total", **of, workflow_type="works", status="failed") == 1
    assert value(samples, "perdure_workflows_closed_total", **of, workflow_type="again", status="continued_as_new") == 2
    assert value(samples, "perdure_workflows_closed_total", **of, workflow_type="waits", status="terminated") == 1
    assert (
        value(samples, "perdure_workflow_duration_seconds_count", **of, workflow_type="works", status="completed") == 1
    )
    shaky_one = {**of, "activity_type": "shaky"}
    assert value(samples, "perdure_activities_started_total", **shaky_one, task_queue="default") == 6
    assert value(samples, "perdure_activities_closed_total", **shaky_one, outcome="completed") == 1
    assert value(samples, "perdure_activities_closed_total", **shaky_one, outcome="failed") == 1
    assert value(samples, "perdure_activity_retries_total", **shaky_one) == 4
    assert value(samples, "perdure_activity_duration_seconds_count", **shaky_one) == 2
    queue = {**of, "task_queue": "default"}
    assert value(samples, "perdure_schedule_to_start_seconds_count", **queue) == 2
    assert value(samples, "perdure_task_queue_added_total", **queue) == 6
    assert value(samples, "perdure_task_queue_started_total", **queue) == 6
    assert value(samples, "perdure_shard_state", shard="0", state="owned") == 1
    assert value(samples, "perdure_ready") == 1
    assert value(samples, "perdure_commit_seconds_count") == value(samples, "perdure_batch_commits_count") > 0
    assert value(samples, "perdure_build_info", version="1.2.3") == 1


async def test_the_records_counted_are_the_records_stored(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        client = embedded.client
        runs = [await client.start(works, fails) for fails in (0, 1, 3)]
        runs.append(await client.start(waits))
        await runs[-1].signal("hello")
        await runs[-1].cancel()
        for run in runs[:2]:
            await run.result()
        for run in runs[2:]:
            with pytest.raises(perdure.WorkflowFailedError):
                await run.result()
        stored = [await watched.engine.store.history(key) for key in range(watched.engine.next_key)]
        samples = scrape(watched)
    records = [record for one in stored if one is not None for record in decode(one.commits)]
    assert value(samples, "perdure_history_records_total") == len(records)
    assert value(samples, "perdure_activity_retries_total", namespace="default", activity_type="shaky") == sum(
        isinstance(record, ActivityAttemptFailed) for record in records
    )


async def test_bugs_and_open_circuit_breakers_are_seen(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        with pytest.raises(perdure.WorkflowFailedError):
            await embedded.client.execute(calls)
        await embedded.client.start(buggy)
        samples = scrape(watched)
    of = {"namespace": "default", "task_queue": "default", "activity_type": "down"}
    states = {state: value(samples, "perdure_circuit_breaker_state", **of, state=state) for state in STATES}
    assert states == {"closed": 0, "half-open": 0, "open": 1}
    failed = {"namespace": "default", "workflow_type": "buggy", "cause": "WORKFLOW_WORKER_UNHANDLED_FAILURE"}
    assert value(samples, "perdure_workflow_task_failures_total", **failed) == 1


async def test_what_waits_is_counted_and_has_an_age(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        client = embedded.client
        await client.execute(works, 0)
        await client.task_queues.pause("default", "lunch")
        runs = [await client.start(works, 0) for _ in range(3)]
        samples = scrape(watched)
        queue = {"namespace": "default", "task_queue": "default"}
        assert value(samples, "perdure_backlog_tasks", **queue) == 3
        described = await client.task_queues.describe("default")
        assert described.added_per_second > described.started_per_second > 0
        assert value(samples, "perdure_backlog_oldest_seconds", **queue) > 0
        assert value(samples, "perdure_task_queue_paused", **queue) == 1
        await runs[0].terminate("no longer")
        assert value(scrape(watched), "perdure_backlog_tasks", **queue) == 2
        await client.task_queues.resume("default")
        for run in runs[1:]:
            await run.result()
        samples = scrape(watched)
        assert value(samples, "perdure_backlog_tasks", **queue) == 0
        assert value(samples, "perdure_task_queue_added_total", **queue) == 4
        assert value(samples, "perdure_task_queue_started_total", **queue) == 3


async def test_the_memory_tells_hits_from_misses(tmp_path):
    settings = perdure.Settings(resident_runs=1)
    async with watched_engine(f"sqlite:///{tmp_path / 'runs.db'}", settings=settings) as (embedded, watched):
        runs = [await embedded.client.start(waits) for _ in range(3)]
        for run in runs:
            await run.signal("hello")
        samples = scrape(watched)
        assert value(samples, "perdure_run_cache_misses_total") >= 2
        assert value(samples, "perdure_run_cache_evictions_total") >= 2
        assert value(samples, "perdure_program_replays_total") >= 2
        assert value(samples, "perdure_resident_runs") >= 1


async def test_every_metric_of_the_catalogue_is_in_a_scrape_with_its_help(store_url):
    async with watched_engine(store_url) as (_, watched):
        body, content_type = Exposition(watched, "1").render()
    text = body.decode()
    assert content_type.startswith("text/plain")
    for metric in catalogue.METRICS:
        name = metric.name
        assert f"# HELP {name} {metric.help}" in text
        assert f"# TYPE {name} {metric.kind.value}" in text


async def test_openmetrics_is_spoken_to_those_who_prefer_it(store_url):
    async with watched_engine(store_url) as (_, watched):
        body, content_type = Exposition(watched, "1").render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_names_that_anyone_can_make_up_do_not_fill_the_memory():
    series = counts(2)
    for number in range(10_000):
        series["default", f"type-{number}"].value += 1
    kept = dict(series)
    assert len(kept) <= 501
    assert sum(count.value for count in kept.values()) == 10_000
    assert kept[OTHER, OTHER].value > 9_000


class Recording:
    """The way to a worker that is never there in this test: it only keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)


async def test_workers_that_connect_are_counted_with_their_slots(tmp_path):
    async with watched_server(f"sqlite:///{tmp_path / 'runs.db'}") as (client, workers, watched):
        hello = Hello(
            "w-1", "me@here", "b1", "default", ["default", "slow"], ["works"], 5, [ActivityGroup(["shaky"], 3)]
        )
        worker = workers.connect(hello, Recording())
        await client.start("works", 0)
        samples = scrape(watched)
        assert value(samples, "perdure_workers_connected", namespace="default", build_id="b1") == 1
        assert value(samples, "perdure_pollers", namespace="default", task_queue="slow") == 1
        slots = {"namespace": "default", "kind": "workflow_tasks"}
        assert value(samples, "perdure_worker_slots", **slots, state="used") == 1
        assert value(samples, "perdure_worker_slots", **slots, state="all") == 5
        described = await client.task_queues.describe("slow")
        assert described.served
        assert [(poller.identity, poller.build_id, poller.activity_slots) for poller in described.pollers] == [
            ("me@here", "b1", 3)
        ]
        workers.disconnect(worker)
        samples = scrape(watched)
        assert value(samples, "perdure_workers_connected", namespace="default", build_id="b1") == 0
        waiting = {"namespace": "default", "task_queue": "default", "workflow_type": "works"}
        assert value(samples, "perdure_waiting_workflow_tasks", **waiting) == 1
