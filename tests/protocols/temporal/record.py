"""Record anew what stories come to on Temporal's own server: python -m tests.protocols.temporal.record ADDRESS LANGUAGE [STORY ...]

Start the server for it fresh, for example: temporal server start-dev --headless --port 7233
"""

import argparse
import asyncio
import sys

from tests.protocols.temporal.outcomes import RECORDED, Outcome, outcomes


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("language")
    parser.add_argument("stories", nargs="*")
    chosen = parser.parse_args()
    folder = RECORDED / chosen.language
    folder.mkdir(parents=True, exist_ok=True)
    found = await outcomes(chosen.language, chosen.address, chosen.stories)
    failed = 0
    for name, outcome in found.items():
        if isinstance(outcome, Outcome):
            (folder / f"{name}.json").write_text(outcome.text(), "utf-8")
        else:
            failed += 1
            print(f"{name}: {outcome}")
    print(f"{len(found) - failed} stories recorded in {folder}, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
