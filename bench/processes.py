"""The bench's side of a measured process: started over a fresh file, listened to, killed, never left behind.

The process speaks in lines of JSON on its standard output (see perdure_child/parent.py). It leads a session of its own,
so a Ctrl-C reaches only the bench, which then ends it; and it ends by itself when its standard input does.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 10.0

Progress = Callable[[float, float], None]


def environment(compiled: Path) -> dict[str, str]:
    """The environment of a measured process: with the bench, and with compiled modules kept as they usually are.

    Where a setting forbids that, each process would compile all it imports, and the time of a restart would be that.
    They are kept in a folder of the bench's own, so that nothing is written beside the sources.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # The process works in a folder of its own, where a relative path would lead nowhere.
    given = [os.path.abspath(part) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    path = os.pathsep.join([str(ROOT), *given])
    return kept | {"PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(compiled)}


class ChildError(Exception):
    """A measured process failed, ended, or took too long."""


class Child:
    """`with Child("waiting", {...}, folder, compiled) as child:` runs one piece of work of perdure_child; leaving kills it.

    Args:
        work: its name.
        options: its options.
        folder: where its files are, and its log.
        compiled: where compiled modules are kept for the next process.
        progress: is told how far it has come.
        prefix: a command to run it under, such as valgrind.
    """

    def __init__(
        self,
        work: str,
        options: dict[str, Any],
        folder: Path,
        compiled: Path,
        progress: Progress | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self._work = work
        self._progress = progress
        self._log = folder / f"{work}.log"
        self._received = b""
        command = [*prefix, sys.executable, "-m", "bench.perdure_child", work, json.dumps(options)]
        with self._log.open("ab") as log:
            self.started_ns = time.monotonic_ns()
            """By the clock that all processes of the machine share."""
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=environment(compiled),
                cwd=folder,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def let_go(self) -> None:
        """Close its standard input, as the bench's own end does: then it ends by itself."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def kill(self) -> int:
        """SIGKILL, to this process and no other; nothing of it runs when this returns. The exit code."""
        process = self._process
        # Popen signals only what it has not seen to end, so the number is still its own.
        process.kill()
        code = process.wait(STOP_SECONDS)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
        return code

    def end(self) -> None:
        """Wait until it ends by itself. Raises ChildError if it fails or takes too long."""
        try:
            code = self._process.wait(STOP_SECONDS * 6)
        except subprocess.TimeoutExpired:
            raise self._failure("did not end") from None
        if code:
            raise self._failure(f"ended with exit code {code}")

    def hear(self, kind: str, within_seconds: float) -> dict[str, Any]:
        """The next message of this kind. Raises ChildError if there is none in time, or it fails."""
        deadline = time.monotonic() + within_seconds
        while True:
            message: dict[str, Any] = json.loads(self._line(deadline, within_seconds))
            if message["kind"] == kind:
                return message
            if message["kind"] == "error":
                raise self._failure(message["error"])
            if message["kind"] == "progress" and self._progress is not None:
                self._progress(message["done"], message["total"])

    def _line(self, deadline: float, seconds: float) -> bytes:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        while b"\n" not in self._received:
            ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self._failure(f"said nothing for {seconds:.0f} seconds")
            chunk = os.read(output, 1 << 16)
            if not chunk:
                raise self._failure("ended")
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    def last_words(self) -> str:
        """The end of what it wrote to its log."""
        return self._log.read_text(errors="replace").strip()[-3000:]

    def _failure(self, what: str) -> ChildError:
        return ChildError(f"{self._work}: {what}\n{self.last_words()}".strip())
