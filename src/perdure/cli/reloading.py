"""A worker in a process of its own, which is started anew whenever the code changes."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path

from perdure.cli.output import note
from perdure.model.errors import NotFoundError

GRACE = "2s"
_PATIENCE_SECONDS = 5.0


class Reloaded:
    """A worker for some apps, started anew with each change of a Python file in their folders.

    Args:
        apps: as ``perdure worker`` takes them.
        watched: further folders.
        labels: what the worker is, by name.

    Raises:
        NotFoundError: there is no such file or folder.
    """

    def __init__(self, apps: Sequence[str], watched: Iterable[str], labels: Mapping[str, str]) -> None:
        self._apps = list(apps)
        self._labels = [option for label in labels.items() for option in ("--label", "=".join(label))]
        self._folders = sorted({str(folder) for folder in (*map(_folder_of, apps), *map(_existing, watched))})
        self._child: asyncio.subprocess.Process | None = None

    async def run(self, url: str, told: asyncio.Event) -> None:
        """Serve the apps to a server until told to stop."""
        changes = self._changes(told)
        try:
            while not told.is_set():
                await self._start(url)
                ended = asyncio.create_task(self._watch_child())
                changed = await anext(changes, None)
                ended.cancel()
                await self._stop()
                if changed is not None:
                    note(f"{Path(changed).name} has changed; the worker starts anew.")
        finally:
            await self._stop()

    async def _changes(self, told: asyncio.Event) -> AsyncIterator[str]:
        from watchfiles import PythonFilter, awatch

        async for changes in awatch(*self._folders, watch_filter=PythonFilter(), stop_event=told, debounce=200):
            yield min(path for _, path in changes)

    async def _start(self, url: str) -> None:
        # A terminal sends Ctrl-C to all processes of a group; this one is told by us, and once.
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            *(
                "-m",
                "perdure",
                "worker",
                "run",
                *self._apps,
                "--server",
                url,
                "--grace",
                GRACE,
                "--parent",
                str(os.getpid()),
                *self._labels,
            ),
            start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL,
        )

    async def _watch_child(self) -> None:
        assert self._child is not None
        code = await self._child.wait()
        note(f"The worker has ended with code {code}. It starts anew with the next change of a file.")

    async def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        child.terminate()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


def _folder_of(app: str) -> Path:
    where = app.partition(":")[0]
    if not where.endswith(".py"):
        return Path.cwd()
    path = Path(where)
    if not path.is_file():
        raise NotFoundError(f"There is no file {where}. Name a file and the app in it, such as app.py:app.")
    return path.resolve().parent


def _existing(folder: str) -> Path:
    if not Path(folder).exists():
        raise NotFoundError(f"There is no folder {folder} to watch.")
    return Path(folder).resolve()
