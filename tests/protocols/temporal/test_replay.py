"""Histories that our server recorded are replayed by the SDKs' own replayers."""

import asyncio
import json
import subprocess

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from tests.protocols.temporal.programs import command
from tests.protocols.temporal.python.headers import Headers
from tests.protocols.temporal.python.main import WORKFLOWS
from tests.protocols.temporal.told import kept_histories

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FORGETFUL = {"fails-a-task", "panics-once"}
"""Their code fails only the first time that it is run in a process: it is a bug on purpose."""


def files(language, folder):
    found = sorted(kept_histories(language, folder).glob("*/*.json"))
    assert found
    return [
        file for file in found if file.parent.name not in FORGETFUL and "WORKFLOW_TASK_COMPLETED" in file.read_text()
    ]


def test_python_replays_what_its_stories_left(shared_folder):
    assert asyncio.run(failed_replays(files("python", shared_folder))) == {}


async def failed_replays(histories):
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=UnsandboxedWorkflowRunner(), interceptors=[Headers()])
    failed = {}
    for file in histories:
        workflow_id = file.stem.rpartition("#")[0]
        history = WorkflowHistory.from_json(workflow_id, file.read_text("utf-8"))
        result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
        if result.replay_failure is not None:
            failed[f"{file.parent.name}/{file.stem}"] = str(result.replay_failure)
    return failed


def test_go_replays_what_its_stories_left(shared_folder):
    names = [str(file) for file in files("go", shared_folder)]
    done = subprocess.run([*command("go"), "--replay", *names], capture_output=True, text=True, timeout=300)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line for line in lines if "error" in line] == []
    assert [line["file"] for line in lines] == names
