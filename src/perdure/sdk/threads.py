"""Threads that activities run in.

Unlike those of ``concurrent.futures`` they are daemons: an activity that never ends must not keep the program from
ending, for a program that dies is what the engine is made for. How many there are is bounded by the worker's slots,
not here.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Threads:
    """Runs jobs, each in a thread of its own while it runs. Idle threads are used again."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._started = 0
        self._closed = False

    def start(self, job: Job) -> None:
        """Run a job soon. It must not raise."""
        with self._lock:
            if self._closed:
                return
            if self._idle > 0:
                self._idle -= 1
                fresh = False
            else:
                self._started += 1
                fresh = True
        if fresh:
            threading.Thread(target=self._work, args=(job,), name=f"{self._name}-{self._started}", daemon=True).start()
        else:
            self._jobs.put(job)

    def close(self) -> None:
        """Let idle threads end, and busy ones once their job is done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, 0
        for _ in range(idle):
            self._jobs.put(None)

    def _work(self, first: Job) -> None:
        job: Job | None = first
        while job is not None:
            job()
            # Nothing of a finished job may live on while the thread waits for the next.
            job = None
            with self._lock:
                if self._closed:
                    return
                self._idle += 1
            job = self._jobs.get()
