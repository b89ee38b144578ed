"""The types of states, one small module each."""

from perdure.languages.asl.states.kind import Kind
from perdure.languages.asl.states.map import Map
from perdure.languages.asl.states.parallel import Parallel
from perdure.languages.asl.states.simple import Choice, Fail, Pass, Succeed
from perdure.languages.asl.states.task import Task
from perdure.languages.asl.states.wait import Wait

KINDS: dict[str, Kind] = {
    "Choice": Choice(),
    "Fail": Fail(),
    "Map": Map(),
    "Parallel": Parallel(),
    "Pass": Pass(),
    "Succeed": Succeed(),
    "Task": Task(),
    "Wait": Wait(),
}
"""By the state's ``Type``."""

__all__ = ["KINDS"]
