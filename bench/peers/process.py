"""A peer in a process of its own: the bench asks for a measurement, the process takes it and answers.

One request and one answer per line of JSON, over the process's standard input and output. The load is made in the
peer's process (for Restate, beside the server), so that the bench's own event loop, its garbage and its imports do
not weigh on a peer, and no peer's on another.

Nothing outlives the bench. The process leads a process group, in which all that it starts stays, and the bench kills
that group when it has done. If the bench itself is killed, standard input ends, and the process does the same.
A peer's data is thrown away, so nothing is lost by ending it abruptly. Every wait has a limit.
"""

import gc
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.peers.result import Result

START_SECONDS = 120.0
STOP_SECONDS = 10.0

_ROOT = Path(__file__).resolve().parents[2]


class PeerError(Exception):
    """A peer could not be set up, failed, or took too long."""


class PeerProcess:
    """The bench's side: starts `python -m module folder`, asks it, and ends it."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path()
        self._received = b""

    def start(self) -> None:
        """Returns once the peer is warm. Raises PeerError if it is not after START_SECONDS."""
        self._folder = Path(tempfile.mkdtemp(prefix="perdure-bench-"))
        self._received = b""
        with (self._folder / "peer.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=environment(),
                cwd=self._folder,
                start_new_session=True,
            )
        try:
            self._answer(START_SECONDS)
        except BaseException:
            self.stop()
            raise

    def measure(self, runs: int, activities: int, concurrency: int) -> Result:
        """Raises PeerError if the peer fails, or runs slower than five activities a second; it is of no use then."""
        if self._process is None or self._process.stdin is None:
            raise PeerError(f"{self._module} is not running")
        request = {"runs": runs, "activities": activities, "concurrency": concurrency}
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._failure("ended") from None
        return Result(**self._answer(60 + runs * max(activities, 1) / 5))

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the number is still its own
        except (ProcessLookupError, PermissionError):  # it ended by itself
            pass
        process.wait(STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        wait_for_group(process.pid)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self, seconds: float) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._line(seconds))
        if "error" in answer:
            raise self._failure(answer["error"])
        return answer

    def _line(self, seconds: float) -> bytes:
        assert self._process is not None and self._process.stdout is not None
        answers = self._process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while b"\n" not in self._received:
            ready, _, _ = select.select([answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._failure(f"gave no answer for {seconds:.0f} seconds")
            chunk = os.read(answers, 1 << 16)
            if not chunk:
                raise self._failure("ended")
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _failure(self, what: str) -> PeerError:
        logs = [log.read_text(errors="replace").strip() for log in sorted(self._folder.glob("*.log"))]
        return PeerError("\n".join([f"{self._module}: {what}", *(log[-2000:] for log in logs if log)]))


class Bench:
    """The peer's side: `with Bench(folder) as bench`, `start` what the peer consists of, then `answer` the bench.

    To be made before anything else, because from then on the peer ends with the bench.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []
        self._requests: queue.SimpleQueue[dict[str, int]] = queue.SimpleQueue()
        # Whatever the peer's libraries print goes to the log, not between the answers.
        self._answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Tells the bench that the peer failed, by ending the answers, and waits to be killed."""
        traceback.print_exception(error)
        try:
            self._answers.close()
        except BrokenPipeError:  # the bench is gone, and the peer may have failed only because it is being ended
            pass
        self._listener.join()

    def start(self, name: str, command: list[str], variables: dict[str, str]) -> None:
        """Starts a process that is part of the peer; its output goes to name.log."""
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables, cwd=self._folder
            )
        self._started.append(process)

    def answer(self, measure: Callable[[int, int, int], Result]) -> None:
        """Says that the peer is warm, and then measures what it is asked to until it is killed."""
        gc.collect()
        gc.freeze()
        self._say({"ready": True})
        while True:
            request = self._requests.get()
            try:
                result = measure(request["runs"], request["activities"], request["concurrency"])
            except Exception as error:
                traceback.print_exc()
                self._say({"error": f"{type(error).__name__}: {error}"})
            else:
                self._say(asdict(result))

    def _listen(self) -> None:
        for line in sys.stdin:
            self._requests.put(json.loads(line))
        for process in self._started:
            process.kill()
            process.wait(STOP_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.killpg(os.getpid(), signal.SIGKILL)

    def _say(self, message: dict[str, Any]) -> None:
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()


def environment() -> dict[str, str]:
    """The environment of a peer's process: without settings of its own that happen to be around, and with the bench."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBOS", "RESTATE_"))}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))}


def wait_for_group(group: int) -> None:
    """Returns once no process is left in a group that was killed, so that none writes into its folder any more."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.01)
