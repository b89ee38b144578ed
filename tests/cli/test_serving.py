"""``perdure server``, ``worker`` and ``dev`` as processes, and what signals, changes and mistakes do to them."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

APP = """
import asyncio

import perdure

app = perdure.App("hello")


@app.activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@app.activity(retry=perdure.Retry(max_attempts=1))
async def slow(path: str) -> str:
    with open(path, "a") as file:
        file.write("began")
    await asyncio.sleep(1)
    return "ended"


@app.activity(retry=perdure.Retry(max_attempts=1))
async def endless(path: str) -> None:
    with open(path, "a") as file:
        file.write("began")
    await asyncio.Event().wait()


@app.workflow
async def hello(name: str) -> str:
    return await greet(name)


@app.workflow
async def slowly(path: str) -> str:
    return await slow(path)


@app.workflow
async def stuck(path: str) -> None:
    await endless(path)
"""
PATIENCE = 240


class Running:
    """A process of the program, and what it says."""

    def __init__(self, *arguments: object, cwd: Path, **env: str) -> None:
        command = [sys.executable, "-m", "perdure", *map(str, arguments)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
        self.process = subprocess.Popen(
            command, cwd=cwd, env={**kept, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
        )
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put("")

    def url(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def until_it_says(self, text: str) -> str:
        while True:
            line = self._lines.get(timeout=PATIENCE)
            self.said.append(line)
            if text in line:
                return line
            assert line, f"it ended without saying {text!r}: {''.join(self.said)}"

    def tell(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        return self.process.wait(PATIENCE)


@contextmanager
def running(*arguments: object, cwd: Path, **env: str) -> Iterator[Running]:
    started = Running(*arguments, cwd=cwd, **env)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()


FREE = ("--rest-address", "127.0.0.1:0", "--grpc-address", "127.0.0.1:0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def ask(url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "perdure", *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, "PERDURE_SERVER": url}, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )


def until(path: Path, text: str) -> None:
    while not (path.exists() and text in path.read_text()):
        pass


def test_a_server_and_a_worker_serve_until_they_are_told_to_stop(folder):
    with running("server", *FREE, cwd=folder) as server:
        url = server.url()
        with running("worker", "app.py:app", "--server", url, cwd=folder) as worker:
            worker.until_it_says("Serves hello, slowly, stuck")
            done = ask(url, "execute", "hello", '"world"', "--id", "a")
            assert (done.returncode, done.stdout, done.stderr) == (0, '"Hello, world!"\n', "")
            begun = folder / "begun"
            ask(url, "start", "slowly", json.dumps(str(begun)), "--id", "b")
            until(begun, "began")
            worker.tell(signal.SIGTERM)
            assert worker.end() == 0
        described = json.loads(ask(url, "show", "b", "--json").stdout)
        assert not described["activities"], "what ran was let end, and its result handed in"
        server.tell(signal.SIGTERM)
        assert server.end() == 0
    listed = ask("", "list", folder / "perdure.db", "--json").stdout.splitlines()
    assert {json.loads(line)["workflow_id"] for line in listed} == {"a", "b"}


def test_a_worker_serves_the_queues_it_is_told_by_option_variable_or_file(folder):
    (folder / "perdure.toml").write_text('[worker]\nqueues = ["of-the-file"]\nmax_threads = 3\nlabels = ["gpu=a100"]\n')
    with running("server", *FREE, "--store", "memory://", cwd=folder) as server:
        url = server.url()
        with (
            running("worker", "app.py:app", "--server", url, "--identity", "one", cwd=folder) as one,
            running(
                *("worker", "app.py:app", "--server", url, "--queue", "a", "-q", "default", "--identity", "two"),
                cwd=folder,
                PERDURE_WORKER_QUEUES="of-the-environment",
            ) as two,
            running(
                *("worker", "app.py:app", "--server", url, "--identity", "three"),
                cwd=folder,
                PERDURE_WORKER_QUEUES="b,c",
            ) as three,
        ):
            for worker in (one, two, three):
                worker.until_it_says("Serves hello, slowly, stuck")
            listed = [json.loads(line) for line in ask(url, "worker", "list", "--json").stdout.splitlines()]
            served = {each["identity"]: each["task_queues"] for each in listed}
            assert served == {"one": ["of-the-file"], "two": ["a", "default"], "three": ["b", "c"]}
            assert all(each["labels"] == {"gpu": "a100"} for each in listed)
            # Only one of them takes what waits there.
            done = ask(url, "execute", "hello", '"queue"', "--id", "a")
            assert (done.returncode, done.stdout) == (0, '"Hello, queue!"\n')
    with running("worker", "app.py:app", cwd=folder, PERDURE_WORKER_MAX_TURNS="many") as bad:
        assert "PERDURE_WORKER_MAX_TURNS in the environment is 'many', but must be" in bad.until_it_says("Error: ")
        assert bad.end() == 2


def test_a_second_signal_ends_a_worker_at_once(folder):
    with running("server", "--store", "memory://", *FREE, cwd=folder) as server:
        url = server.url()
        with running("worker", "app.py:app", "--server", url, "--grace", "1h", cwd=folder) as worker:
            worker.until_it_says("Serves")
            begun = folder / "begun"
            ask(url, "start", "stuck", json.dumps(str(begun)))
            until(begun, "began")
            worker.tell(signal.SIGINT)
            worker.until_it_says("Lets what runs end")
            worker.tell(signal.SIGINT)
            assert worker.end() == 130


def test_dev_starts_the_worker_anew_when_its_code_changes_and_waits_out_a_mistake(folder):
    app = folder / "app.py"
    with running("dev", "app.py:app", "--store", "memory://", *FREE, cwd=folder) as dev:
        url = dev.url()
        dev.until_it_says("Serves hello")
        assert ask(url, "execute", "hello", '"you"').stdout == '"Hello, you!"\n'
        app.write_text(APP + "\ndef (:\n")
        assert "app.py:" in dev.until_it_says("can't be run: SyntaxError")
        dev.until_it_says("starts anew with the next change")
        app.write_text(APP.replace("Hello,", "Good day,"))
        dev.until_it_says("Serves hello")
        assert ask(url, "execute", "hello", '"you"').stdout == '"Good day, you!"\n'
        dev.tell(signal.SIGTERM)
        assert dev.end() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("worker", "app.py:app", "--server", "http://127.0.0.1:9"), "No Perdure server answers at http://127.0.0.1:9"),
        (("worker", "none.py:app"), "There is no file none.py"),
        (("worker", "app.py:nothing"), "There is no variable 'nothing'"),
        (("dev", "none.py:app"), "There is no file none.py"),
        (("dev", "app.py:app", "--watch", "nowhere"), "There is no folder nowhere"),
        (("server", "--store", "postgres://x"), "The store 'postgres://x' can't be opened"),
        (("server", "--rest-address", "7420"), "--rest-address is '7420', but must be HOST:PORT"),
        (("server", "--config", "none.toml"), "There is no settings file none.toml"),
        (("worker", "app.py:app", "--label", "x"), "--label 'x' must be NAME=TEXT"),
    ],
)
def test_what_can_not_begin_says_why_in_one_line(folder, arguments, said):
    with running(*arguments, cwd=folder) as process:
        assert said in process.until_it_says("Error: ")
        assert process.end() == 2


def test_an_address_that_is_taken_and_a_store_in_use_are_named(folder):
    with running("server", *FREE, cwd=folder) as server:
        address = server.url().removeprefix("http://")
        with running("server", "--store", "memory://", "--rest-address", address, *FREE[2:], cwd=folder) as second:
            assert address.rpartition(":")[2] in second.until_it_says("Error: ")
            assert second.end() == 2
        with running("server", *FREE, cwd=folder) as third:
            assert "perdure.db" in third.until_it_says("Error: ")
            assert third.end() == 2


def test_config_says_what_is_in_force_and_where_it_came_from(folder):
    (folder / "perdure.toml").write_text('store = "memory://"\n[limits]\npage_size = 500\n[worker]\nmax_turns = 7\n')

    def config(*arguments: str) -> str:
        command = [sys.executable, "-m", "perdure", "config", *arguments]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
        environment = {**kept, "PERDURE_LOG_LEVEL": "debug", "PERDURE_TOKEN": "secret-of-mine", "COLUMNS": "160"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=True)
        assert "secret-of-mine" not in done.stdout
        return done.stdout

    changed = {
        "store": ("memory://", "perdure.toml, line 1"),
        "rest_address": ("127.0.0.1:0", "--rest-address"),
        "log_level": ("debug", "PERDURE_LOG_LEVEL"),
        "limits.page_size": ("500", "perdure.toml, line 3"),
        "client.token": ("(secret)", "PERDURE_TOKEN"),
        "worker.max_turns": ("7", "perdure.toml, line 5"),
    }
    flag = ("--rest-address", "127.0.0.1:0")
    shown = json.loads(config("--changed", "--json", *flag))
    assert {name: (each["value"], each["from"]) for name, each in shown.items()} == changed
    everything = json.loads(config("--json", *flag))
    assert {name for name, each in everything.items() if each["from"] != "default"} == changed.keys()
    assert everything["grpc_address"] == {"value": "127.0.0.1:7421", "from": "default"}
    lines = [line.split(maxsplit=2) for line in config("--changed", *flag).splitlines()]
    assert lines[0] == ["SETTING", "VALUE", "FROM"]
    assert {name: (value, origin.strip()) for name, value, origin in lines[1:]} == changed


def test_settings_come_from_the_file_and_the_environment(folder):
    (folder / "perdure.toml").write_text('store = "memory://"\nrest_address = "127.0.0.1:0"\n')
    with running("server", cwd=folder, PERDURE_GRPC_ADDRESS="127.0.0.1:0") as server:
        assert server.url().startswith("http://127.0.0.1:")
        server.until_it_says("Serves memory://")
    assert not (folder / "perdure.db").exists()
