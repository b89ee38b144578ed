"""What is handed to operators fits the server: dashboards and alerts ask for metrics that exist, and the files for
containers and systemd are what their own tools accept."""

import asyncio
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from tests.observability.scene import watched_engine, works
from tests.security.authority import Authority

from perdure.app.access import Access
from perdure.app.config import BY_NAME, CLIENT_VARIABLES, WORKER_VARIABLES
from perdure.app.server import Server
from perdure.observability.catalogue import METRICS, Kind
from perdure.observability.exposition import Exposition

PACKAGING = Path(__file__).parents[2] / "packaging"
DASHBOARD = json.loads((PACKAGING / "grafana" / "perdure.json").read_text("utf-8"))
RULES_FILE = PACKAGING / "prometheus" / "perdure.rules.yml"
RULES_TESTS = PACKAGING / "prometheus" / "perdure.rules.test.yml"
RULES = [rule for group in yaml.safe_load(RULES_FILE.read_text("utf-8"))["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [
    *(pytest.param(target["expr"], id=panel["title"]) for panel in PANELS for target in panel["targets"]),
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in RULES),
]
OF_EVERY_SERIES = {"instance", "job", "le"}
SETTINGS = {setting.variable for setting in BY_NAME.values()} | set(CLIENT_VARIABLES) | set(WORKER_VARIABLES)


def parsed(expression: str):
    return promql_parser.parse(expression.replace("$__rate_interval", "5m"))


def selectors(node) -> list:
    """All selectors of metrics in an expression."""
    match type(node).__name__:
        case "VectorSelector":
            return [node]
        case "MatrixSelector":
            return [node.vector_selector]
        case "Call":
            return [found for arg in node.args for found in selectors(arg)]
        case "BinaryExpr":
            return [*selectors(node.lhs), *selectors(node.rhs)]
        case "AggregateExpr" | "ParenExpr" | "SubqueryExpr" | "UnaryExpr":
            return selectors(node.expr)
        case "NumberLiteral" | "StringLiteral":
            return []
        case _:
            raise AssertionError(f"what is {node!r}?")


def series_of_catalogue() -> dict[str, set[str]]:
    """All names of series that the catalogue makes, with their labels."""
    found: dict[str, set[str]] = {}
    for metric in METRICS:
        labels = set(metric.labels)
        suffixes = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        found |= {metric.name + suffix: labels for suffix in suffixes}
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(expression):
    known = series_of_catalogue()
    asked = selectors(parsed(expression))
    assert asked
    for selector in asked:
        if selector.name.startswith("perdure_"):
            labels = {matcher.name for matcher in selector.matchers.matchers}
            assert selector.name in known, f"there is no {selector.name}"
            assert labels <= known[selector.name] | OF_EVERY_SERIES
        else:
            assert selector.name in ("process_cpu_seconds_total", "process_resident_memory_bytes")
    named = {label for found in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression) for label in found.split(", ")}
    assert named <= set.union(OF_EVERY_SERIES, *(known.get(selector.name, set()) for selector in asked))


async def test_the_catalogue_is_what_a_server_shows(store_url):
    """So that the names above are those of a real scrape."""
    async with watched_engine(store_url) as (embedded, watched):
        await embedded.client.execute(works, 1)
        await embedded.client.task_queues.pause("default", "lunch")
        await embedded.client.start(works, 0)
        body, _ = Exposition(watched, "1").render()
    known = series_of_catalogue()
    shown = {
        sample.name: set(sample.labels) - {"le"}
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("perdure_") and not sample.name.startswith("perdure_build")
    }
    assert {name: known.get(name) for name in shown} == shown
    missing = {name.removesuffix("_bucket") for name in known if name not in shown} - {
        # There is no remote worker, no REST, no gRPC and no breaker in this scene; see test_night.py.
        *("perdure_workers_connected", "perdure_pollers", "perdure_worker_slots", "perdure_waiting_workflow_tasks"),
        *("perdure_http_requests_total", "perdure_http_request_seconds", "perdure_circuit_breaker_state"),
        *("perdure_http_errors_total", "perdure_http_request_seconds_sum", "perdure_http_request_seconds_count"),
        *("perdure_grpc_streams", "perdure_grpc_streams_ended_total", "perdure_grpc_calls_total"),
        *("perdure_grpc_call_seconds", "perdure_grpc_call_seconds_sum", "perdure_grpc_call_seconds_count"),
        *("perdure_nexus_operations_scheduled_total", "perdure_nexus_operations_closed_total"),
        *("perdure_nexus_operation_retries_total", "perdure_nexus_operation_duration_seconds"),
        *("perdure_nexus_operation_duration_seconds_sum", "perdure_nexus_operation_duration_seconds_count"),
        *("perdure_workflow_task_failures_total", "perdure_task_queue_running"),
    }
    assert not missing
    assert "process_cpu_seconds_total" in body.decode()


def test_panels_have_titles_places_and_explanations_of_their_own():
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and all(0 <= x < 24 for x, _ in cells), panel["title"]
        taken |= cells
    assert all(panel["title"] and panel["description"] for panel in PANELS)
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]} | {"__rate_interval"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD["panels"]))) <= variables


def test_grafanas_own_types_know_everything_in_the_dashboard():
    """What Grafana would not understand is lost on the way through the types that its makers generate from its schema."""
    plugins.register_default_plugins()
    read = Dashboard.from_json(copy.deepcopy(DASHBOARD))
    written = json.loads(JSONEncoder().encode(read))

    def compare(ours: Any, theirs: Any, place: str) -> None:
        if isinstance(ours, dict):
            assert ours.keys() <= theirs.keys(), f"{place}: {ours.keys() - theirs.keys()}"
            for name, value in ours.items():
                compare(value, theirs[name], f"{place}.{name}")
        elif isinstance(ours, list):
            assert len(ours) == len(theirs), place
            for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
                compare(one, other, f"{place}[{number}]")
        else:
            assert ours == theirs, place

    compare(DASHBOARD, written, "dashboard")


def test_alerts_have_names_severities_and_words_of_their_own():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        known = set().union(*(series_of_catalogue()[selector.name] for selector in selectors(parsed(rule["expr"]))))
        assert set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"]))) <= known | {"instance"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_alerts():
    subprocess.run(["promtool", "check", "rules", RULES_FILE], check=True)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_that_each_alert_fires_when_it_should():
    done = subprocess.run(["promtool", "test", "rules", RULES_TESTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_with_series_that_there_are():
    text = RULES_TESTS.read_text("utf-8")
    assert {rule["alert"] for rule in RULES} == set(re.findall(r"\bPerdure\w+", text))
    series = {each["series"] for test in yaml.safe_load(text)["tests"] for each in test["input_series"]}
    for one in series:
        (selector,) = selectors(parsed(one))
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= series_of_catalogue()[selector.name] | OF_EVERY_SERIES | {"le"}, one


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
async def test_promtool_accepts_a_scrape(store_url):
    async with watched_engine(store_url) as (embedded, watched):
        await embedded.client.execute(works, 1)
        body, _ = Exposition(watched, "1").render()
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_container_file_is_linted():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed")
    file = PACKAGING / "container" / "Containerfile"
    done = subprocess.run([hadolint, file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_container_runs_as_nobody_special_with_settings_that_there_are():
    text = (PACKAGING / "container" / "Containerfile").read_text("utf-8")
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] not in ("root", "0")
    assert re.search(r'^HEALTHCHECK .*\n +CMD \["python", "/opt/perdure/healthcheck.py"\]$', text, re.MULTILINE)
    assert re.search(r"^COPY packaging/container/healthcheck.py /opt/perdure/healthcheck.py$", text, re.MULTILINE)
    assert set(re.findall(r"(PERDURE_\w+)=", text)) <= SETTINGS


@pytest.mark.parametrize("way", ["plain", "tls", "mutual tls"])
async def test_the_containers_health_is_asked_as_its_server_listens(tmp_path, way):
    access, environment = Access(), dict(os.environ)
    if way != "plain":
        authority = Authority(tmp_path)
        certificate, key = authority.issue("server")
        facts: dict[str, Any] = {"tls_certificate": certificate, "tls_key": key}
        if way == "mutual tls":
            facts |= {"tls_client_ca": authority.ca, "tls_clients": "ops=admin"}
        access = Access(**facts)
        environment |= {f"PERDURE_{name.upper()}": value for name, value in facts.items()}
    server = Server("memory://", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0", access=access)
    await server.open()
    environment["PERDURE_REST_ADDRESS"] = f"127.0.0.1:{server.rest_port}"

    async def asked() -> tuple[int | None, bytes]:
        command = (sys.executable, str(PACKAGING / "container" / "healthcheck.py"))
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, cwd=tmp_path, stderr=asyncio.subprocess.PIPE
        )
        _, said = await process.communicate()
        return process.returncode, said

    try:
        assert await asked() == (0, b"")
    finally:
        await server.close()
    code, said = await asked()
    assert code == 1 and b"refused" in said


def test_the_service_unit_is_accepted_by_systemd(tmp_path):
    text = (PACKAGING / "systemd" / "perdure.service").read_text("utf-8")
    assert set(re.findall(r"Environment=(PERDURE_\w+)", text)) <= SETTINGS
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "perdure.service"
    # It also looks whether the program is there, which on this machine is another one.
    unit.write_text(text.replace("/opt/perdure/bin/perdure", sys.executable), "utf-8")
    environment = {**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}
    done = subprocess.run([tool, "verify", unit], capture_output=True, text=True, check=False, env=environment)
    about_it = [line for line in done.stderr.splitlines() if "perdure.service" in line]
    assert (done.returncode, about_it) == (0, [])
    secure = subprocess.run(
        [tool, "security", "--offline=true", "--threshold=25", unit], capture_output=True, text=True, check=False
    )
    if "Unknown" not in secure.stderr and "unrecognized" not in secure.stderr:
        assert secure.returncode == 0, secure.stdout[-200:]
