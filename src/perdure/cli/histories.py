"""Histories to replay: from a store, from a server, from exported files, from folders of those."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

import msgspec

from perdure.cli import stores
from perdure.cli.places import is_server
from perdure.cli.sources import PAGE, connected, events
from perdure.engine.ports import RunRow
from perdure.model.errors import InvalidArgumentError, NotFoundError, PerdureError
from perdure.model.ids import RunAddress
from perdure.model.options import RunStatus
from perdure.model.service import RunPage, RunSummary, Service
from perdure.sdk.replay import History

R = TypeVar("R")

_SQLITE = b"SQLite format 3\0"
_EXPORTED = (".json", ".json.gz")


class Choice(msgspec.Struct, frozen=True):
    """Which runs of a source. ``limit`` takes the first of them, ``sample`` any; 0 for all."""

    namespace: str
    filter: str = ""
    statuses: tuple[RunStatus, ...] = ()
    workflow_type: str = ""
    limit: int = 0
    sample: int = 0


class Found(msgspec.Struct, frozen=True):
    """A history, or why it can't be read. ``name`` says to people which one it is."""

    name: str
    history: History | None
    problem: str = ""


@contextmanager
def opened(source: str, choice: Choice, token: str) -> Iterator["Histories"]:
    """The histories of a source: a store file or its URL, a server's URL, an exported run, or a folder of these.

    Raises:
        NotFoundError: there is no such source.
        InvalidArgumentError: it holds no histories, or the filter can't be used.
        StoreError: the store can't be read.
        UnavailableError: the server can't be asked.
        UnauthenticatedError: it does not know the token.
    """
    if is_server(source):
        with ServerHistories.opened(source, choice, token) as histories:
            yield histories
    elif _is_store(source):
        with stores.opened(source) as store:
            yield StoreHistories(store, choice)
    else:
        yield FileHistories(source, choice)


class Histories(Protocol):
    """Histories of one source, and how many they are at most."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Found]: ...


class StoreHistories:
    """Those of a store file."""

    def __init__(self, store: stores.Reader, choice: Choice) -> None:
        self._store = store
        rows = stores.matching(store, choice.namespace, choice.filter, choice.statuses, choice.workflow_type)
        self._rows = chosen(rows, choice)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Found]:
        return (_of_store(self._store, row) for row in self._rows)


class FileHistories:
    """Those that ``perdure export`` wrote."""

    def __init__(self, source: str, choice: Choice) -> None:
        self._is_folder = Path(source).is_dir()
        self._files = _files(source)
        self._workflow_type = choice.workflow_type

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Found]:
        for file in self._files:
            try:
                history = History.from_file(file)
            except PerdureError as error:
                if not self._is_folder:
                    raise
                yield Found(str(file), None, str(error))
                continue
            if not self._workflow_type or history.started.workflow_type == self._workflow_type:
                yield Found(history.workflow_id, history)


class ServerHistories:
    """Those of a server, asked for one after another."""

    def __init__(self, runner: asyncio.Runner, service: Service, choice: Choice) -> None:
        self._runner = runner
        self._service = service
        self._runs = chosen(self._matching(choice), choice)

    @classmethod
    @contextmanager
    def opened(cls, url: str, choice: Choice, token: str) -> Iterator["ServerHistories"]:
        """Connect, for as long as the block lasts."""
        with asyncio.Runner() as runner:
            connection = connected(url, token)
            service = runner.run(connection.__aenter__())
            try:
                yield cls(runner, service, choice)
            finally:
                runner.run(connection.__aexit__(None, None, None))

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Found]:
        for run in self._runs:
            address = RunAddress(run.namespace, run.workflow_id, run.run_id)
            try:
                found = self._runner.run(events(self._service, address))
                yield Found(run.workflow_id, History(run.workflow_id, run.run_id, found, namespace=run.namespace))
            except NotFoundError:
                continue  # deleted meanwhile

    def _matching(self, choice: Choice) -> Iterator[RunSummary]:
        cursor = ""
        while True:
            page = self._runner.run(self._page(choice, cursor))
            yield from page.runs
            cursor = page.next_cursor
            if not cursor:
                return

    async def _page(self, choice: Choice, cursor: str) -> RunPage:
        return await self._service.list(
            choice.namespace,
            filter=choice.filter,
            statuses=choice.statuses,
            workflow_type=choice.workflow_type,
            cursor=cursor,
            limit=PAGE,
        )


def _is_store(source: str) -> bool:
    path = stores.path_of(source)
    if path.is_dir():
        return False
    if source.startswith("sqlite:") or not path.exists():
        return not source.endswith(_EXPORTED)
    with path.open("rb") as file:
        beginning = file.read(len(_SQLITE))
    # A store that holds nothing yet is told from a file that is empty by whoever opens it.
    return beginning == _SQLITE or (not beginning and not source.endswith(_EXPORTED))


def _files(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.name.endswith(_EXPORTED) and file.is_file())
        if not files:
            raise InvalidArgumentError(f"There are no exported runs in {path}: no file ends with .json or .json.gz.")
        return files
    if not path.exists():
        raise NotFoundError(
            f"There is no file {path}. Name a store, a run that perdure export wrote, or a folder of those."
        )
    return [path]


def chosen(rows: Iterable[R], choice: Choice) -> list[R]:
    """As many of the matching runs as are wanted."""
    if not choice.sample:
        return list(islice(rows, choice.limit or None))
    # The same runs give the same sample: what CI finds can be found again.
    chance, kept = Random(0), list[R]()
    for index, row in enumerate(islice(rows, choice.limit or None)):
        if len(kept) < choice.sample:
            kept.append(row)
        elif (place := chance.randrange(index + 1)) < choice.sample:
            kept[place] = row
    return kept


def _of_store(store: stores.Reader, row: RunRow) -> Found:
    try:
        events = stores.read(store, row).events()
        return Found(row.workflow_id, History(row.workflow_id, row.run_id, events, namespace=row.namespace))
    except PerdureError as error:
        return Found(row.workflow_id, None, str(error))
