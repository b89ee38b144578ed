"""The measured process's side of the conversation: a line of JSON for each thing it has to say."""

import json
import os
import sys
import time
from typing import Any

SECONDS_BETWEEN_PROGRESS = 0.2


class Parent:
    """The bench. Whatever else is printed goes to the log, not between the messages."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
        self._progress_due = 0.0

    def say(self, kind: str, **content: Any) -> None:
        """Send a message."""
        self._output.write(json.dumps({"kind": kind, **content}) + "\n")
        self._output.flush()

    def progress(self, done: float, total: float) -> None:
        """Say how far it has come, now and then."""
        now = time.monotonic()
        if now >= self._progress_due:
            self._progress_due = now + SECONDS_BETWEEN_PROGRESS
            self.say("progress", done=done, total=total)

    def check(self) -> None:
        """Called when there is something to read from the bench. It never writes, so this is its end, and ours."""
        if not os.read(sys.stdin.fileno(), 1):
            os._exit(1)
