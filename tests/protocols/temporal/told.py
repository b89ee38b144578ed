"""All stories of a language, told once to our server for all tests and processes of a test run."""

import asyncio
import fcntl
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.protocols.temporal.outcomes import Outcome, outcomes
from tests.protocols.temporal.programs import CannotBuildError
from tests.protocols.temporal.server import DevServer

Outcomes = dict[str, Outcome | str]


def told_beside(language: str, caches: Sequence[int], folder: Path) -> dict[int, Outcomes]:
    """The same with several sizes of the worker's cache, all at a time: stories mostly wait."""
    with ThreadPoolExecutor(len(caches)) as threads:
        found = threads.map(lambda cache: told(language, cache, folder), caches)
        return dict(zip(caches, found, strict=True))


def told(language: str, cache: int | None, folder: Path) -> Outcomes:
    """Tell all stories of a language, once for all processes of this test run."""
    name = language if cache is None else f"{language}-cache-{cache}"
    kept = folder / f"temporal-stories-{name}.json"
    with (folder / f"temporal-stories-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            try:
                found = tell_all(language, cache, folder)
            except CannotBuildError as error:
                kept.write_text(json.dumps({"skip": str(error)}))
            else:
                said = {key: value if isinstance(value, str) else asdict(value) for key, value in found.items()}
                kept.write_text(json.dumps({"told": said}))
    content = json.loads(kept.read_text())
    if "skip" in content:
        pytest.skip(f"stories in {language}: {content['skip']}")
    return {key: value if isinstance(value, str) else Outcome(**value) for key, value in content["told"].items()}


def tell_all(language: str, cache: int | None, folder: Path) -> Outcomes:
    home = folder / f"server-{language}-{cache}"
    home.mkdir()
    server = DevServer(home)
    server.start()
    try:
        options = [] if cache is None else ["--cache", str(cache)]
        return asyncio.run(outcomes(language, server.address, options=options, keep=home / "histories"))
    finally:
        server.stop()


def kept_histories(language: str, folder: Path) -> Path:
    """Where the histories are that the stories left, a file for each run: STORY/ID#NUMBER.json, in Temporal's JSON."""
    told(language, None, folder)
    return folder / f"server-{language}-None" / "histories"
