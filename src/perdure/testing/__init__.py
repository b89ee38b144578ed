"""Tests of workflows: a whole engine in memory, on a clock that skips whatever time nothing happens in."""

from perdure.testing.environment import Environment, environment

__all__ = ["Environment", "environment"]
