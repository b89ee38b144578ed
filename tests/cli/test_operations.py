"""The commands that do something to runs, on a server with a worker for them."""

import json
import os
import subprocess
import sys

import pytest


def test_a_run_is_started_once_and_its_result_is_printed(asked):
    started = asked("start", "echo", '{"a": 1.10}', "--id", "e1", "--json")
    assert started.exit_code == 0
    run = json.loads(started.out)
    assert run["namespace"] == "default" and run["workflow_id"] == "e1" and run["is_new"] is True
    executed = asked("execute", "echo", '{"a": 1.10}', "--id", "e2")
    assert (executed.exit_code, json.loads(executed.out)) == (0, {"a": 1.1})
    waiting = asked("start", "Loan", "--id", "l1")
    again = asked("start", "Loan", "--id", "l1")
    assert again.out == waiting.out and "had been started already" in again.err
    assert asked("start", "Loan", "--id", "l1", "--id-conflict", "fail").exit_code == 2


def test_a_run_that_fails_ends_with_1_and_says_why(asked):
    outcome = asked("execute", "refused", '"closed on Sundays"', "--id", "r1")
    assert (outcome.exit_code, outcome.out) == (1, "")
    assert "r1 ended as Failed" in outcome.err and "closed on Sundays" in outcome.err
    late = asked("execute", "forever", "--id", "f1", "--timeout", "0.2s")
    assert (late.exit_code, late.out) == (1, "") and "f1 goes on" in late.err


def test_messages_reach_a_run(asked):
    asked("start", "Loan", "7", "--id", "loan")
    assert asked("update", "loan", "add_document", '"a.pdf"').out == "1\n"
    rejected = asked("update", "loan", "add_document", '""')
    assert (rejected.exit_code, rejected.out) == (1, "") and "a document has a name" in rejected.err
    assert json.loads(asked("query", "loan", "status").out) == {"documents": ["a.pdf"], "decision": None}
    assert asked("query", "loan", "nothing").exit_code == 2
    sent = asked("signal", "loan", "decide", '"yes"', "--request-id", "1")
    assert (sent.exit_code, sent.out) == (0, "") and "Sent signal 'decide' to 'loan'" in sent.err
    assert json.loads(asked("show", "loan", "--json").out)["result"][0]["value"] == "yes 7"
    assert asked("signal", "loan", "decide", '"no"').exit_code == 2


def test_runs_are_controlled(asked):
    for name in ("a", "b", "c"):
        asked("start", "forever", "--id", name)
    assert asked("pause", "a", "--reason", "lunch").exit_code == 0
    assert json.loads(asked("show", "a", "--json").out)["status"] == "paused"
    assert asked("resume", "a").exit_code == 0
    assert json.loads(asked("show", "a", "--json").out)["status"] == "running"
    assert asked("cancel", "a").exit_code == 0
    assert asked("terminate", "b", "--reason", "enough").exit_code == 0
    assert "enough" in asked("show", "b").out
    kept = asked("delete", "c")
    assert kept.exit_code == 2 and "--yes" in kept.err
    assert asked("delete", "c", "--yes").exit_code == 0
    gone = asked("show", "c")
    assert gone.exit_code == 2 and "There is no workflow 'c'" in gone.err
    assert "There is no workflow 'aa'" in asked("cancel", "aa").err


def test_a_run_begins_again_from_the_middle(asked):
    asked("execute", "doubled", "2", "--id", "d")
    first = json.loads(asked("show", "d", "--json").out)["run_id"]
    reset = asked("reset", "d", "--event", "3", "--json")
    assert reset.exit_code == 0 and json.loads(reset.out)["run_id"] != first
    forked = asked("fork", "d", "e", "21", "--event", "3", "--run-id", first)
    assert forked.out.startswith("e  ")
    assert json.loads(asked("show", "e", "--json").out)["input"][0]["value"] == 21
    assert asked("fork", "d", "f", "--event", "1", "--run-id", first).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("start", "echo", "world"), "Argument 1 is no JSON: 'world'"),
        (("start", "echo", "world"), "'\"world\"'"),
        (("start", "echo", "1", "{"), "Argument 2 is no JSON"),
        (("start", "echo", "@none.json"), "There is no file none.json"),
        (("start", "echo", "-", "-"), "Standard input can be read once only"),
        (("start", "echo", "--memo", "x"), "--memo 'x' must be NAME=JSON"),
        (("start", "echo", "--search", "x=y"), "The value of --search x is no JSON"),
        (("start", "echo", "--delay", "soon"), "--delay is 'soon', but must be a duration"),
        (("start", "work.db", "echo"), "work.db is a store file, and those are only looked at"),
        (("list", "--server", "localhost:7420"), "write http://127.0.0.1:7420"),
        (("schedule", "backfill", "x", "--from", "now", "--to", "later"), "--from is 'now'"),
    ],
)
def test_bad_input_is_named(asked, arguments, said):
    outcome = asked(*arguments)
    assert (outcome.exit_code, outcome.out) == (2, "")
    assert said in outcome.err and "Traceback" not in outcome.err


def test_input_comes_from_files_and_standard_input(asked, tmp_path):
    (tmp_path / "in.json").write_text(' {"x": [1, 2]}\n')
    assert json.loads(asked("execute", "echo", f"@{tmp_path}/in.json").out) == {"x": [1, 2]}


def test_namespaces_and_their_attributes(asked):
    assert "Created" in asked("namespace", "set", "staging", "--retention", "30d", "--description", "trials").err
    assert "Changed" in asked("namespace", "set", "staging", "--retention", "10d").err
    listed = asked("namespace", "list")
    assert "staging" in listed.out and "10d" in listed.out and "trials" in listed.out
    assert json.loads(asked("namespace", "attributes", "staging", "Amount=float", "--json").out) == {"Amount": "float"}
    assert asked("namespace", "attributes", "staging", "Amount=int").exit_code == 2
    again = asked("namespace", "attributes", "staging", "Amount=int", "--remove", "Amount", "--json")
    assert json.loads(again.out) == {"Amount": "int"}
    asked("start", "forever", "--id", "there", "--namespace", "staging")
    assert "add --namespace staging" in asked("show", "there").err


def test_task_queues_are_limited_and_paused(asked):
    assert asked("queue", "set", "warehouse", "--concurrency", "2", "--rate", "5", "--per", "1m").exit_code == 0
    assert asked("queue", "set", "warehouse", "--concurrency", "3").exit_code == 0
    assert asked("queue", "pause", "warehouse", "--reason", "stocktaking").exit_code == 0
    found = json.loads(asked("queue", "show", "warehouse", "--json").out)
    assert (found["concurrency"], found["rate"], found["per_ns"]) == (3, 5, 60 * 10**9)
    assert found["is_paused"] and found["pause_reason"] == "stocktaking"
    assert "3 at once, 5 per 1m" in asked("queue", "list").out
    asked("queue", "resume", "warehouse")
    assert json.loads(asked("queue", "list", "--json").lines[0])["is_paused"] is False
    assert asked("queue", "show", "nowhere").exit_code == 2


def test_schedules_are_made_changed_and_removed(asked):
    made = asked("schedule", "create", "nightly", "echo", '"a"', "--cron", "0 2 * * *", "--timezone", "Europe/Berlin")
    assert made.exit_code == 0
    assert asked("schedule", "create", "nightly", "echo", "--every", "1h").exit_code == 2
    assert asked("schedule", "update", "nightly", "--every", "2h", "--overlap", "buffer_one").exit_code == 0
    assert asked("schedule", "pause", "nightly", "--note", "holidays").exit_code == 0
    found = json.loads(asked("schedule", "show", "nightly", "--json").out)
    assert found["when"].startswith("every 2:00:00") and found["overlap"] == "buffer_one"
    assert found["is_paused"] and found["note"] == "holidays"
    assert asked("schedule", "resume", "nightly").exit_code == 0
    assert asked("schedule", "trigger", "nightly").exit_code == 0
    assert "every 2:00:00" in asked("schedule", "show", "nightly").out
    assert "nightly" in asked("schedule", "list").out
    assert asked("schedule", "delete", "nightly").exit_code == 0
    gone = asked("schedule", "show", "nightly")
    assert gone.exit_code == 2 and "There is no <schedule 'nightly'" in gone.err


def test_a_history_is_followed_until_the_run_is_closed(asked):
    asked("execute", "doubled", "2", "--id", "d")
    followed = asked("history", "d", "--follow", "--json")
    whole = asked("history", "d", "--json")
    assert followed.out == whole.out and len(whole.lines) == 11
    assert json.loads(followed.lines[-1])["type"] == "WorkflowExecutionCompleted"


def test_a_history_is_followed_while_the_run_goes_on(asked):
    url = json.loads(asked("config", "--json").out)["client.server"]["value"]
    asked("start", "Loan", "7", "--id", "open")
    following = subprocess.Popen(
        [sys.executable, "-m", "perdure", "history", "open", "--follow", "--json"],
        env={**os.environ, "PERDURE_SERVER": url},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert following.stdout is not None

    def until(type: str) -> list[str]:
        seen: list[str] = []
        while not seen or seen[-1] != type:
            seen.append(json.loads(following.stdout.readline())["type"])  # type: ignore[union-attr]
        return seen

    try:
        until("WorkflowExecutionStarted")
        asked("update", "open", "add_document", '"passport"')
        until("WorkflowExecutionUpdateCompleted")
        assert following.poll() is None, "it goes on while the run does"
        asked("signal", "open", "decide", '"yes"')
        assert "WorkflowExecutionSignaled" in until("WorkflowExecutionCompleted")
        assert following.wait(100) == 0 and following.stdout.read() == ""
    finally:
        following.kill()
        following.wait()
        following.stdout.close()


def test_one_thing_is_done_to_many_runs(asked):
    for number in range(5):
        asked("start", "forever", "--id", f"f{number}", "--search", f"Number={number}")
    dry = asked("batch", "cancel", "--filter", "Number < 3", "--dry-run")
    assert (dry.out, dry.exit_code) == ("3\n", 0) and "Nothing was done. It begins with f2, f1, f0" in dry.err
    assert json.loads(asked("batch", "cancel", "--filter", "Number < 3", "--dry-run", "--json").out)["count"] == 3
    assert (
        "Cancel 3 runs of namespace 'default'? Nobody is there"
        in asked("batch", "cancel", "--filter", "Number < 3").err
    )
    done = asked("batch", "terminate", "--filter", "Number < 3", "--yes", "--reason", "too many", "--json")
    assert done.exit_code == 0, done.err
    found = json.loads(done.out)
    assert (found["status"], found["total"], found["done"], found["failed"]) == ("completed", 3, 3, 0)
    assert asked("count", "ExecutionStatus = 'Terminated'").out == "3\n"
    assert "too many" in asked("show", "f0").out
    detached = asked("batch", "delete", "--all", "--rate", "1", "--yes", "--detach", "--id", "clean")
    assert detached.out == "clean\n"
    assert asked("batch", "pause", "clean").exit_code == 0
    assert json.loads(asked("batch", "show", "clean", "--json").out)["status"] == "paused"
    assert "paused" in asked("batch", "list").out
    assert asked("batch", "resume", "clean").exit_code == 0
    assert asked("batch", "stop", "clean").exit_code == 0
    assert asked("batch", "show", "none").exit_code == 2


def test_a_batch_that_failed_for_some_ends_with_1(asked):
    asked("start", "forever", "--id", "early", "--delay", "1h")
    outcome = asked("batch", "reset", "--type", "forever", "--yes")
    assert outcome.exit_code == 1 and "has no turn" in outcome.out


def test_a_batch_needs_to_be_told_which_runs(asked):
    outcome = asked("batch", "delete", "--yes")
    assert outcome.exit_code == 2 and "--all" in outcome.err


def test_workers_are_listed(asked):
    assert "flows" not in asked("worker", "list").err
    [worker] = [json.loads(line) for line in asked("worker", "list", "--json").lines]
    assert worker["is_connected"] and "echo" in worker["workflow_types"]
    assert "connected" in asked("worker", "list").out
    assert "No worker serves namespace 'empty'" in asked("worker", "list", "-n", "empty").err


def test_a_namespace_is_shown_and_deleted(asked):
    asked("namespace", "set", "trial", "--open-runs", "5", "--share", "0.5")
    found = json.loads(asked("namespace", "show", "trial", "--json").out)
    assert (found["quota"]["open_runs"], found["quota"]["share"], found["open_runs"]) == (5, 0.5, 0)
    assert "open runs" in asked("namespace", "show", "trial").out
    assert asked("namespace", "delete", "trial").exit_code == 2
    assert asked("namespace", "delete", "trial", "--yes").exit_code == 0


def test_no_server_there_is_said_in_one_line(perdure):
    outcome = perdure("list", PERDURE_SERVER="grpc://127.0.0.1:9")
    assert (outcome.exit_code, outcome.out) == (2, "") and outcome.err.count("\n") == 1
    named = perdure("show", "http://127.0.0.1:9", "x")
    assert named.exit_code == 2 and "No Perdure server answers at http://127.0.0.1:9" in named.err


def test_a_run_is_exported_from_a_file_and_imported_into_a_server(asked, perdure, store, tmp_path):
    for name in ("order-0", "refused"):
        target = tmp_path / f"{name}.json.gz"
        assert perdure("export", store, name, target).exit_code == 0
        imported = asked("import", target, "--json")
        assert imported.exit_code == 0 and json.loads(imported.out)["workflow_id"] == name
        there, here = asked("history", name, "--json").out, perdure("history", store, name, "--json").out
        assert there == here
        again = asked("import", target)
        assert again.exit_code == 2 and "is here already" in again.err
    back = tmp_path / "back.json"
    assert asked("export", "order-0", back).exit_code == 0
    assert (
        json.loads(back.read_text())["run_id"] == json.loads(perdure("show", store, "order-0", "--json").out)["run_id"]
    )
    assert "There is no file" in asked("import", tmp_path / "none.json").err
    (tmp_path / "junk.json").write_text("{}")
    assert asked("import", tmp_path / "junk.json").exit_code == 2


def test_what_is_imported_is_stored_as_if_it_had_run_here(perdure, store, tmp_path):
    import asyncio

    import perdure as engine

    histories = []
    for name in ("order-0", "refused", "large", "paused", "countdown"):
        target = tmp_path / f"{name}.json"
        perdure("export", store, name, target)
        histories.append(engine.History.from_file(target))

    async def bring_in():
        async with engine.open(store=f"sqlite:///{tmp_path}/new.db") as client:
            for history in histories:
                await client.import_history(history)

    asyncio.run(bring_in())
    verified = perdure("verify", tmp_path / "new.db")
    assert verified.exit_code == 0, verified.out
    assert perdure("count", tmp_path / "new.db", "Cents = 100").out == "1\n"
