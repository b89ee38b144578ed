"""An end for every evaluation, counted in steps, so that it is the same end on every machine and in every replay.

The library calls back before and after each node of an expression. Each costs a step, and what it gives costs by its
size, so that loops over long lists and texts are counted, too.
"""

from __future__ import annotations

from typing import Any

from jsonata.utils import Utils

from perdure.expressions.jsonata.errors import EvaluationFailed

# A few seconds of one processor.
MOST_STEPS = 400_000
# Nodes inside nodes, as AWS has it; the library needs several frames of Python's stack for each.
DEEPEST = 100
# AWS's limit of what an expression may hold: letters, and numbers of eight bytes.
MOST_BYTES = 6_990_256
NUMBER_BYTES = 8
# Items, and letters, that cost as much as one node.
ITEMS_OF_A_STEP = 64
LETTERS_OF_A_STEP = 4096
LARGEST_NUMBER = 2**1024


class Bounds:
    """Counts one evaluation.

    Args:
        most_steps: nodes evaluated, and their results' sizes.
        deepest: nodes inside each other.
    """

    def __init__(self, most_steps: int, deepest: int) -> None:
        self.steps_left, self.deepest, self.depth = most_steps, deepest, 0

    def enter(self, node: Any, focus: Any, environment: Any) -> None:
        self.depth += 1
        if self.depth > self.deepest:
            raise too_deep()
        self.spend(1)

    def leave(self, node: Any, focus: Any, environment: Any, result: Any) -> None:
        self.depth -= 1
        if isinstance(result, str):
            if len(result) > MOST_BYTES:
                raise too_large()
            self.spend(len(result) // LETTERS_OF_A_STEP)
        elif isinstance(result, list):
            count = len(result) - isinstance(result, Utils.RangeList)  # which counts its end, too
            if count * NUMBER_BYTES > MOST_BYTES:
                raise too_large()
            self.spend(count // ITEMS_OF_A_STEP)
        elif isinstance(result, int) and not -LARGEST_NUMBER < result < LARGEST_NUMBER:
            raise EvaluationFailed("D1001", "Number out of range: Infinity")

    def spend(self, steps: int) -> None:
        self.steps_left -= steps
        if self.steps_left < 0:
            raise EvaluationFailed("", "Expression evaluation timeout: Check for infinite loop")


# AWS's words for these have no code of JSONata's.


def too_deep() -> EvaluationFailed:
    return EvaluationFailed(
        "",
        "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive",
    )


def too_large() -> EvaluationFailed:
    return EvaluationFailed("", "Expression evaluation memory limit exceeded: Check for excessive memory usage")
