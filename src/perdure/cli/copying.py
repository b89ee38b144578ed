"""Making a backup: nothing is overwritten that must not be, and only a copy that was checked replaces an older one."""

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import msgspec

from perdure.app import backup
from perdure.cli.stores import opened, path_of
from perdure.model.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, StoreCorruptError


class Copy(msgspec.Struct, frozen=True):
    """A copy that was made, at ``path``.

    ``damages`` says what is wrong with it, one sentence each. A damaged copy has not replaced an older one.
    """

    path: Path
    size_bytes: int
    duration_ns: int
    damages: list[str]


def copy_store(file: str, target: Path, *, replace: bool, progress: Callable[[int, int], None]) -> Copy:
    """Copy a store and check the copy.

    Args:
        file: the store, or its URL.
        target: where the copy goes.
        replace: whether it may replace a file that is there.
        progress: called with how many pages are copied, and how many there are.

    Raises:
        StoreError: the store can't be read, or the copy not be written.
        AlreadyExistsError: there is a file, and it may not be replaced.
        InvalidArgumentError: the copy can't go there.
        NotFoundError: there is no such store, or no such folder.
    """
    began = perf_counter_ns()
    with opened(file):
        pass  # says in better words than a copy could why it can't be read
    _check_target(path_of(file), target, replace)
    is_there = target.exists()
    made = target
    if is_there:
        made = target.with_name(f"{target.name}.new")
        made.unlink(missing_ok=True)
    backup(path_of(file), made, progress)
    damages = _damages(made)
    if is_there and not damages:
        os.replace(made, target)
        made = target
    return Copy(made, made.stat().st_size, perf_counter_ns() - began, damages)


def _damages(path: Path) -> list[str]:
    try:
        with opened(str(path)) as reader:
            return list(reader.damages())
    except StoreCorruptError as error:
        return [str(error)]


def _check_target(source: Path, target: Path, replace: bool) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise NotFoundError(f"There is no folder {folder} to copy to. Create it, or choose another one.")
    if target.is_dir():
        raise InvalidArgumentError(
            f"{target} is a folder. Name the file to make in it, {target / source.name} for example."
        )
    if not target.exists():
        return
    if target.samefile(source):
        raise InvalidArgumentError(f"{target} is the store itself. Choose another file for the copy.")
    if not replace:
        raise AlreadyExistsError(f"There is a file {target} already. Choose another one, or replace it with --force.")
    for companion in (f"{target.name}.lock", f"{target.name}-wal"):
        # Its engine would go on writing to the old file, and an old log would be played into the new one.
        if target.with_name(companion).exists():
            raise InvalidArgumentError(
                f"{target} is more than a copy: there is {companion} beside it, so an engine works on it, or did. "
                "It is not replaced; choose another file."
            )
