"""The demo's child processes: started, watched, killed, and never left behind.

Every child leads a process group of its own, so a Ctrl-C at the terminal reaches only the demo itself, which then ends
them. And every child ends by itself when its standard input does: even if the demo is killed, nothing of it goes on.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

END_SECONDS = 5.0


class Child:
    """One process: ``python -m <module> --option value ...``. What it prints goes to a file.

    Args:
        module: what to run.
        options: by name, without the dashes.
        log: where its output goes, appended.
    """

    def __init__(self, module: str, options: Mapping[str, object], log: Path) -> None:
        self.module = module
        self.log = log
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def kill(self) -> int:
        """End it, and all it started, at once: nothing of it runs when this returns. Does nothing when it has ended.

        Returns:
            When, in ns of the machine's monotonic clock.
        """
        now_ns = time.monotonic_ns()
        # Once it has been seen to end, its number may be another process's.
        if self._process.poll() is None:
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()
            self._process.wait()
        self._let_go()
        return now_ns

    def end(self) -> None:
        """Let it end, by the end of its standard input; kill it if it takes too long."""
        self._let_go()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self, lines: int = 15) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _let_go(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
