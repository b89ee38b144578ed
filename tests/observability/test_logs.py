"""Lines of the log say which run, attempt and trace they are about."""

import io
import json
import logging

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import perdure
from perdure import activity, workflow
from perdure.observability.logs import JsonFormatter, TextFormatter, set_up_logging

app = perdure.App("logged")


@app.activity
async def says(name: str) -> str:
    activity.logger.info("hello %s", name, extra={"colour": {"red"}})
    return name


@app.workflow
async def talks(name: str) -> str:
    workflow.logger.info("begins with %s", name)
    await says(name)
    await workflow.receive("go")
    workflow.logger.info("ends")
    return name


@app.workflow
async def stumbles() -> None:
    raise RuntimeError("a bug")


@pytest.fixture
def logged():
    """What is logged as JSON, as read back."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    set_up_logging("info", "json", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = handlers, level


async def test_each_line_has_its_run_and_its_trace_and_is_written_once(store_url, logged):
    spans = InMemorySpanExporter()
    tracing = perdure.Tracing(processor=SimpleSpanProcessor(spans))
    settings = perdure.Settings(resident_runs=0)
    async with perdure.open(app, store=store_url, tracing=tracing, settings=settings) as client:
        run = await client.start(talks, "world", id="greeting")
        await run.signal("go", 1)
        await run.result()
    lines = [line for line in logged() if line["logger"] in ("perdure.workflow", "perdure.activity")]
    assert [line["message"] for line in lines] == ["begins with world", "hello world", "ends"]
    by_name = {span.name: span for span in spans.get_finished_spans()}
    trace_id = f"{by_name['StartWorkflow:talks'].context.trace_id:032x}"
    for line in lines:
        assert (line["namespace"], line["workflow_id"], line["run_id"]) == ("default", "greeting", run.run_id)
        assert (line["workflow_type"], line["trace_id"], line["level"]) == ("talks", trace_id, "info")
    assert lines[0]["span_id"] == f"{by_name['RunWorkflow:talks'].context.span_id:016x}"
    assert lines[1]["span_id"] == f"{by_name['RunActivity:says'].context.span_id:016x}"
    assert (lines[1]["activity_type"], lines[1]["attempt"], lines[1]["colour"]) == ("says", 1, "{'red'}")


async def test_the_engine_says_which_run_it_complains_about(store_url, logged):
    async with perdure.open(app, store=store_url) as client:
        run = await client.start(stumbles, id="stumbling")
        while not (found := [line for line in logged() if "its turn failed" in line["message"]]):
            await run.describe()
    assert (found[0]["workflow_id"], found[0]["run_id"], found[0]["level"]) == ("stumbling", run.run_id, "warning")
    assert "trace_id" not in found[0]


def test_an_error_is_written_with_its_traceback_in_one_line():
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        record = logging.LogRecord(
            "perdure", logging.ERROR, __file__, 1, "it %s", ("failed",), (ValueError, error, None)
        )
    line = JsonFormatter().format(record)
    assert "\n" not in line
    read = json.loads(line)
    assert (read["message"], read["error"]) == ("it failed", "ValueError: two\nlines")
    assert "two\nlines" in read["traceback"]


async def test_text_names_the_run_in_brackets(store_url):
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    set_up_logging("info", "text", stream)
    try:
        async with perdure.open(app, store=store_url) as client:
            run = await client.start(talks, "world", id="greeting")
            await run.signal("go", 1)
            await run.result()
    finally:
        root.handlers[:], root.level = handlers, level
    assert f"perdure.workflow: ends [workflow_id=greeting run_id={run.run_id}]" in stream.getvalue()


@pytest.mark.parametrize("name", ["x\n2026-01-01 INFO perdure: forged", "x\r\x1b[2J", "x\u2028y", "x\x9b31m"])
def test_a_name_makes_no_line_of_its_own_and_tells_a_terminal_nothing(name):
    record = logging.LogRecord("perdure.engine", logging.INFO, "", 0, "Worker %s is connected", (name,), None)
    record.workflow_id = name + "!"
    for formatter in (TextFormatter(), JsonFormatter()):
        written = formatter.format(record)
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 or char in "\u2028\u2029" for char in written)
    assert json.loads(JsonFormatter().format(record))["message"] == f"Worker {name} is connected"
