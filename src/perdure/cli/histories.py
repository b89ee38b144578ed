"""Histories to replay: from a store, from exported files, from folders of those."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random

import msgspec

from perdure.cli import stores
from perdure.engine.ports import RunRow
from perdure.model.errors import InvalidArgumentError, NotFoundError, PerdureError
from perdure.model.options import RunStatus
from perdure.sdk.replay import History

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


def count(source: str, choice: Choice) -> int:
    """How many histories there are."""
    if _is_store(source):
        with stores.opened(source) as store:
            return len(_chosen(store, choice))
    return len(_files(source))


def read(source: str, choice: Choice) -> Iterator[Found]:
    """The histories of a source: a store file or its URL, an exported run, or a folder of these.

    Raises:
        NotFoundError: there is no such source.
        InvalidArgumentError: it holds no histories.
        StoreError: the store can't be read.
    """
    if _is_store(source):
        with stores.opened(source) as store:
            for row in _chosen(store, choice):
                yield _of_store(store, row)
        return
    for file in _files(source):
        try:
            history = History.from_file(file)
        except PerdureError as error:
            if not Path(source).is_dir():
                raise
            yield Found(str(file), None, str(error))
            continue
        if not choice.workflow_type or history.started.workflow_type == choice.workflow_type:
            yield Found(history.workflow_id, history)


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


def _chosen(store: stores.Reader, choice: Choice) -> list[RunRow]:
    rows = stores.matching(store, choice.namespace, choice.filter, choice.statuses, choice.workflow_type)
    if not choice.sample:
        return list(islice(rows, choice.limit or None))
    # The same store gives the same sample: what CI finds can be found again.
    chance, kept = Random(0), list[RunRow]()
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
