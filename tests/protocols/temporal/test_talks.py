"""Conversations, call by call, come to the same as with Temporal's own server."""

from tests.protocols.temporal.talks.differing import DIFFERING
from tests.protocols.temporal.talks.stories import STORIES, recorded
from tests.protocols.temporal.talks.talk import tell

from perdure.app.server import Server


def by_label(said: list[str]) -> dict[str, str]:
    """Lines by what they begin with."""
    return {label: line for label, _, line in (one.partition(": ") for one in said)}


async def test_all_that_is_said(server: Server) -> None:
    told = await tell(f"127.0.0.1:{server.temporal_port}", STORIES)
    for name in STORIES:
        expected, found = by_label(recorded(name)), by_label(told[name])
        differing = DIFFERING.get(name, {})
        for label in {**expected, **found}:
            if label in differing:
                assert found.get(label) != expected.get(label), f"{name}, {label}: is the same now"
            else:
                assert found.get(label) == expected.get(label), f"{name}, {label}"
