"""A server and workers as processes of their own, to be killed."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

SERVING = Path(__file__).with_name("serving.py")


def free_port() -> int:
    """One that is free, and stays so until it is used: not of those that the system gives to whoever asks for any."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Town:
    """A server and workers, each a process, on one store; ``scheme`` says how they are connected."""

    def __init__(self, folder: Path, scheme: str = "http") -> None:
        self.log = folder / "log.txt"
        self.log.touch()
        self._store = f"sqlite:///{folder / 'work.db'}"
        self._ports = (free_port(), free_port())
        self.url = f"{scheme}://127.0.0.1:{self._ports[scheme == 'grpc']}"
        self.variables: dict[str, str] = {}
        """Of the environment of those that are started from now on."""
        self._processes: list[subprocess.Popen[str]] = []
        self.server: subprocess.Popen[str]

    async def start_server(self) -> None:
        self.server = await self._start("server", self._store, *map(str, self._ports))

    async def start_worker(self) -> subprocess.Popen[str]:
        return await self._start("worker", self.url)

    async def _start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = os.environ | {"SERVING_LOG": str(self.log)} | self.variables
        process = subprocess.Popen(
            [sys.executable, str(SERVING), *arguments], stdout=subprocess.PIPE, text=True, env=environment
        )
        self._processes.append(process)
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                self.kill(process)
            assert process.stdout is not None
            process.stdout.close()

    def done(self) -> Counter[str]:
        """How often each thing was begun and ended."""
        return Counter(line.rsplit(" ", 1)[0] for line in self.log.read_text().splitlines())

    async def until(self, words: str) -> None:
        while not self.done()[words]:
            await asyncio.sleep(0.02)
