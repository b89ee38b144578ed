"""The kernel's transcripts: every story must still be told as it was recorded."""

import typing
from pathlib import Path

import pytest
from tests.kernel.transcript import Transcript

from perdure.model import commands, events, requests

PATHS = sorted(Path(__file__).parent.joinpath("transcripts").glob("*.txt"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_story(path: Path, rerecord: bool) -> None:
    transcript = Transcript(path)
    told = transcript.retell()
    if rerecord:
        path.write_text(told)
    assert told == path.read_text(), f"{path.name} is told otherwise now; if that is right, record it with --rerecord"


def test_stories_tell_of_everything() -> None:
    """Every request, every command and every kind of record is somewhere in the transcripts."""
    seen: set[type] = set()
    for path in PATHS:
        transcript = Transcript(path)
        transcript.retell()
        seen |= transcript.seen
    everything = {
        kind for union in (requests.Request, commands.AnyCommand, events.AnyRecord) for kind in typing.get_args(union)
    }
    assert sorted(kind.__name__ for kind in everything - seen) == []
