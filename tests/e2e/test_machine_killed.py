"""A Map of ten thousand items, in a process that is killed again and again."""

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

ITEMS = 10_000
PROGRAM = f"""
import asyncio, os, sys
import perdure

app = perdure.App("machines")
log = os.open("done.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@app.activity
async def work(number: int) -> int:
    os.write(log, f"{{number}}\\n".encode())
    return 2 * number


flow = app.state_machine(
    {{
        "StartAt": "Each",
        "States": {{
            "Each": {{
                "Type": "Map",
                "ItemProcessor": {{
                    "StartAt": "Work",
                    "States": {{
                        "Work": {{
                            "Type": "Task",
                            "Resource": "work",
                            "Retry": [{{"ErrorEquals": ["WorkerLost"], "MaxAttempts": 99, "BackoffRate": 1}}],
                            "End": True,
                        }}
                    }},
                }},
                "End": True,
            }}
        }},
    }},
    name="each",
)


async def main() -> None:
    async with perdure.open(app, store="sqlite:///machines.db") as client:
        doubled = await client.execute(flow, list(range({ITEMS})), id="one")
        assert doubled == [2 * number for number in range({ITEMS})]
        print("whole")


asyncio.run(main())
"""


def count(done: Path) -> int:
    return len(done.read_bytes().splitlines()) if done.exists() else 0


@pytest.mark.slow
def test_a_map_of_ten_thousand_items_outlives_sigkill(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = tmp_path / "done.txt"

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    for share in (0.2, 0.4, 0.6):
        process = start()
        while count(done) < share * ITEMS and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    output, errors = start().communicate(timeout=240)
    assert output == "whole\n", errors
    times = Counter(done.read_text().splitlines())
    assert len(times) == ITEMS
    # What was recorded never runs again; at most what was under way at a kill does: forty items of an inline Map at once.
    assert sum(times.values()) <= ITEMS + 3 * 60
