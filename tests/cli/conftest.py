"""A store that an engine wrote and was killed over, and ways to run the program on it."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.cli import flows
from typer import testing
from typer.main import get_command

from perdure.app import Worker, connect
from perdure.app.server import Server
from perdure.cli.main import app

HERE = Path(__file__).parent
COMMAND = get_command(app)


class Outcome(msgspec.Struct, frozen=True):
    """What a run of the program came to."""

    exit_code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Perdure = Callable[..., Outcome]


@pytest.fixture(scope="session")
def written_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "shop.db"
    subprocess.run(
        [sys.executable, str(HERE / "orders.py"), str(path)], check=True, timeout=240, stderr=subprocess.DEVNULL
    )
    return path


@pytest.fixture
def store(written_store: Path, tmp_path: Path) -> Path:
    """A copy for one test, with the log that the killed engine left."""
    for file in written_store.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    return tmp_path / written_store.name


@pytest.fixture
def code_loaded(tmp_path: Path) -> Iterator[None]:
    """Apps that a command loads from files are forgotten afterwards: other tests have modules of the same names."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and "." not in name and Path(file).parent in (HERE, tmp_path):
            del sys.modules[name]


@pytest.fixture
def perdure(monkeypatch: pytest.MonkeyPatch, code_loaded: None) -> Perdure:
    """The program in this process, on a pipe; ``width`` puts it on a terminal so wide."""

    def run(*arguments: object, width: int = 0, **env: str) -> Outcome:
        for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name, raising=False)
        if width:
            env |= {"FORCE_COLOR": "1", "COLUMNS": str(width), "TERM": "xterm-256color"}
        # The commands are built once, not each time one is run: that takes longer than running it.
        monkeypatch.setattr(testing, "_get_command", lambda _: COMMAND)
        result = testing.CliRunner().invoke(
            app, [str(argument) for argument in arguments], env=env, prog_name="perdure"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


class ServerThread:
    """A server with a worker for ``flows``, in a thread of its own, while a test asks it."""

    def __init__(self) -> None:
        self.url = ""
        self._is_up = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> str:
        self._thread.start()
        assert self._is_up.wait(100)
        if self._failure is not None:
            raise self._failure
        return self.url

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(100)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._is_up.set()

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = Server("memory://", rest_address="127.0.0.1:0", grpc_address="127.0.0.1:0")
        await server.open()
        try:
            self.url = f"http://127.0.0.1:{server.rest_port}"
            async with await connect(self.url) as client, Worker(client, flows.app, grace=0.2):
                self._is_up.set()
                await self._end.wait()
        finally:
            await server.close()


@pytest.fixture
def asked(perdure: Perdure) -> Iterator[Perdure]:
    """The program, asking a server with a worker."""
    with ServerThread() as url:
        yield lambda *arguments, **env: perdure(*arguments, **{"PERDURE_SERVER": url, **env})


@pytest.fixture
def process() -> Perdure:
    """The program in a process of its own, as a shell would start it."""

    def run(*arguments: object, **env: str) -> Outcome:
        command = [sys.executable, "-m", "perdure", *(str(argument) for argument in arguments)]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=240, env={**os.environ, **env}, check=False
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
