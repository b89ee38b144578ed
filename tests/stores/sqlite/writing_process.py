"""A process that writes until it is killed, and says which batches were acknowledged. Run by ``test_crash.py``.

Arguments: the store's path, and how large batches are at most. Every line it prints is a key whose first commit is
stored, or ``<key> <number>`` for a later commit.
"""

import asyncio
import random
import sys

from perdure.engine.ports import RunRow, TaskRow, Write
from perdure.model.errors import StoreError
from perdure.model.options import RunStatus
from perdure.stores.sqlite import SqliteStore, log, workflow_ids

LANES = 4


async def main(path: str, most: int) -> None:
    # So that moves of workflow ids and checkpoints are under way when the end comes.
    workflow_ids.MOVE_AT = 200
    log.CHECKPOINT_BYTES = 1 << 20
    store = SqliteStore(path)
    key = (await store.open()).next_key
    print("open", flush=True)
    chance = random.Random()

    def batch_of(keys: range, number: int) -> list[Write]:
        return [
            Write(
                key,
                number,
                chance.randbytes(chance.randrange(2_000)),
                created=RunRow(key, "default", f"order-{key}", f"run-{key}", "Order", "q", RunStatus.RUNNING, key)
                if number == 1
                else None,
                tasks=[TaskRow(key, number, "q", "t", False, 0)],
                tasks_done=[number - 1],
                blobs=[(b"%032d" % (key % 7), bytes(5_000))] if number == 2 else [],
            )
            for key in keys
        ]

    def write(keys: range, number: int) -> None:
        def done(error: StoreError | None) -> None:
            assert error is None, error
            print("\n".join(f"{key} {number}" for key in keys), flush=True)
            if number < 3:
                write(keys, number + 1)
            else:
                begin()

        store.write(batch_of(keys, number), done)

    def begin() -> None:
        nonlocal key
        first, key = key, key + chance.randrange(1, most)
        write(range(first, key), 1)

    for _ in range(LANES):
        begin()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
