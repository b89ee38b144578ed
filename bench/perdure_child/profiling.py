"""Where the time goes."""

import cProfile
import gc
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path
from types import CodeType

import msgspec

import perdure
from bench.perdure_child.load import execute_all, opened, warm_up
from bench.perdure_child.observation import thread_times
from bench.perdure_child.parent import Parent

PERDURE = Path(perdure.__file__).parent
BENCH = Path(__file__).parents[1]
STANDARD = Path(sysconfig.get_path("stdlib"))
MSGSPEC = Path(msgspec.__file__).parent
TOP_FUNCTIONS = 25


async def threads(parent: Parent, runs: int, concurrency: int) -> None:
    """What each thread takes of the processor, without a profiler."""
    async with opened() as client:
        await warm_up(client, concurrency, 1, 1.0)
        before = thread_times()
        load = await execute_all(client, runs, concurrency, 1)
        after = thread_times()
    spent = {
        name: [(now - then) / runs * 1e6 for now, then in zip(times, before.get(name, (0.0, 0.0)), strict=True)]
        for name, times in after.items()
    }
    parent.say("result", threads_us=spent, **load.report())


async def functions(parent: Parent, runs: int, concurrency: int) -> None:
    """What each function of the event loop's thread takes, as cProfile sees it."""
    profile = cProfile.Profile()
    async with opened() as client:
        await warm_up(client, concurrency, 1, 1.0)
        gc.collect()
        profile.enable()
        load = await execute_all(client, runs, concurrency, 1)
        profile.disable()
    layers: defaultdict[str, float] = defaultdict(float)
    own: defaultdict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for entry in profile.getstats():
        if isinstance(entry.code, str):
            continue  # counted with their callers, who alone know what they were for
        layer = layer_of(entry.code)
        name = f"{layer}: {name_of(entry.code)}"
        layers[layer] += entry.inlinetime
        own[name] += entry.inlinetime
        calls[name] += entry.callcount
        for called in entry.calls or ():
            if isinstance(called.code, str):
                layers[layer_of_builtin(called.code, layer)] += called.inlinetime
                own[name] += called.inlinetime
    top = sorted(own, key=own.__getitem__, reverse=True)[:TOP_FUNCTIONS]
    parent.say(
        "result",
        layers_us={layer: seconds / runs * 1e6 for layer, seconds in layers.items()},
        functions=[(name, own[name] / runs * 1e6, calls[name] / runs) for name in top],
        **load.report(),
    )


async def counted(parent: Parent, runs: int, concurrency: int) -> None:
    """For a count of instructions from outside: so many runs, and the end."""
    async with opened() as client:
        load = await execute_all(client, runs, concurrency, 1)
    parent.say("result", **load.report())


def layer_of(code: CodeType) -> str:
    """Which part of the system a function belongs to."""
    path = Path(code.co_filename)
    for root, name in ((PERDURE, ""), (BENCH, "the load"), (MSGSPEC, "msgspec")):
        if path.is_relative_to(root):
            return name or path.relative_to(PERDURE).parts[0].removesuffix(".py")
    if path.is_relative_to(STANDARD):
        return "asyncio" if path.relative_to(STANDARD).parts[0] == "asyncio" else "standard library"
    # Generated code, such as a dataclass's methods, has no file.
    return "other"


def layer_of_builtin(name: str, caller: str) -> str:
    """msgspec's and the event loop's C functions are parts of their own; any other is its caller's."""
    for part in ("msgspec", "uvloop", "asyncio"):
        if part in name:
            return part
    return caller


def name_of(code: CodeType) -> str:
    """`file:function`."""
    return f"{Path(code.co_filename).name} {code.co_qualname}"
