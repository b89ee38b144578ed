"""An end for every evaluation, counted in steps, so that it is the same end on every machine and in every replay.

The library calls back before and after each node of an expression. Each costs a step, and what it gives costs by its
size, so that loops over long lists and texts are counted, too.
"""

from __future__ import annotations

from typing import Any

from perdure.expressions.jsonata.errors import EvaluationFailed

# A few seconds of one processor.
MOST_STEPS = 400_000
# Nodes inside nodes; the library needs several frames of Python's stack for each.
DEEPEST = 500
LONGEST_TEXT = 10_000_000
LONGEST_LIST = 1_000_000
# Items, or letters, that cost as much as one node.
FREE = 64
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
            if len(result) > LONGEST_TEXT:
                raise EvaluationFailed("D3001", f"A text grew longer than {LONGEST_TEXT} characters")
            self.spend(len(result) // FREE)
        elif isinstance(result, list):
            if len(result) > LONGEST_LIST:
                raise EvaluationFailed("D2014", f"An array grew longer than {LONGEST_LIST} items")
            self.spend(len(result) // FREE)
        elif isinstance(result, int) and not -LARGEST_NUMBER < result < LARGEST_NUMBER:
            raise EvaluationFailed("D1001", "Number out of range: Infinity")

    def spend(self, steps: int) -> None:
        self.steps_left -= steps
        if self.steps_left < 0:
            raise EvaluationFailed("D1012", "Evaluation took too many steps. Check for infinite loop")


def too_deep() -> EvaluationFailed:
    return EvaluationFailed(
        "D1011",
        "Stack overflow. Check for non-terminating recursive function.  Consider rewriting as tail-recursive",
    )
