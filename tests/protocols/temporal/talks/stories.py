"""All conversations, and those lines of ours that are not as Temporal's server says them, each with the reason.

python -m tests.protocols.temporal.talks.stories 127.0.0.1:7233 [NAME ...]    # record anew, from Temporal's own server
"""

import asyncio
import sys
from pathlib import Path

from tests.protocols.temporal.talks import asking, messages, overrides, starts, turns
from tests.protocols.temporal.talks.talk import Story, tell

RECORDED = Path(__file__).parent.parent / "recorded" / "talks"

STORIES: dict[str, Story] = {
    **starts.STORIES,
    **turns.STORIES,
    **overrides.STORIES,
    **messages.STORIES,
    **asking.STORIES,
}


def recorded(name: str) -> list[str]:
    """What a story came to on Temporal's server."""
    return (RECORDED / f"{name}.txt").read_text("utf-8").splitlines()


async def main(address: str, names: list[str]) -> None:
    """Record stories."""
    RECORDED.mkdir(exist_ok=True)
    told = await tell(address, {name: story for name, story in STORIES.items() if not names or name in names})
    for name, said in told.items():
        (RECORDED / f"{name}.txt").write_text("\n".join(said) + "\n", "utf-8")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
