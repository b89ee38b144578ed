"""Tests of workflows: a whole engine in memory, on a clock that skips whatever time nothing happens in.

``environment`` is one such engine. ``Faults`` make it crash, lose its worker, or hear of things late or twice; ``check``
and ``seeds`` run one scenario under a thousand different ones.
"""

from perdure.testing.environment import Environment, environment
from perdure.testing.faults import Faults
from perdure.testing.seeds import check, seeds

__all__ = ["Environment", "Faults", "check", "environment", "seeds"]
