"""One piece of work: its name and its options are the arguments, what it finds is said to the bench."""

import asyncio
import json
import sys
import traceback
from contextlib import suppress
from importlib import import_module

import uvloop

from bench.perdure_child.parent import Parent

WORKS = {
    "throughput": "speed",
    "waiting": "memory",
    "sleeping": "memory",
    "sleeping_again": "memory",
    "leave_open": "recovery",
    "take_up": "recovery",
    "search": "search",
    "due_at_once": "schedules",
    "closing": "growth",
    "long_history": "growth",
    "machines": "machines",
    "queued": "queues",
    "serve": "served",
    "work": "served",
    "call": "served",
    "idle_workers": "served",
    "rest_starts": "served",
    "look": "served",
    "threads": "profiling",
    "functions": "profiling",
    "counted": "profiling",
}


def main() -> None:
    name, options = sys.argv[1], json.loads(sys.argv[2])
    parent = Parent()
    try:
        work = getattr(import_module(f"bench.perdure_child.{WORKS[name]}"), name)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            # Started by hand, standard input may be something that cannot be watched; from the bench, it is a pipe.
            with suppress(PermissionError):
                runner.get_loop().add_reader(sys.stdin.fileno(), parent.check)
            runner.run(work(parent, **options))
    except Exception as error:
        traceback.print_exc()
        parent.say("error", error=f"{type(error).__name__}: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
