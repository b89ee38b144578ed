"""Figures, their verdicts, and how numbers are told."""

from typing import Any

import pytest
from bench.results import Figure, medians, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12_345.6, "12,346"),
        (99.96, "100"),
        (42.24, "42.2"),
        (9.996, "10.0"),
        (1.234, "1.23"),
        (0.1234, "0.123"),
        (0, "0"),
    ],
)
def test_a_number_has_three_digits_that_say_something(value, text):
    assert number(value) == text


@pytest.mark.parametrize(("rate", "verdict"), [(9_999, "missed"), (10_000, "reached"), (20_000, "aim reached")])
def test_more_can_be_better(rate, verdict):
    figure = Figure(label="rate", value=rate, unit="runs/s", wanted=10_000, aim=20_000, more_is_better=True)
    assert figure.verdict == verdict
    assert figure.demand == "at least 10,000 runs/s (aim 20,000)"


@pytest.mark.parametrize(("latency", "verdict"), [(0.5, "reached"), (0.51, "missed")])
def test_less_can_be_better(latency, verdict):
    figure = Figure(label="latency", value=latency, unit="ms", wanted=0.5)
    assert figure.verdict == verdict
    assert figure.demand == "at most 0.500 ms"


def test_where_nothing_was_asked_there_is_no_verdict():
    figure = Figure(label="latency", value=3, unit="ms")
    assert (figure.is_reached, figure.verdict, figure.demand) == (None, "", "")


def test_medians_are_of_what_all_rounds_have():
    rounds: list[dict[str, Any]] = [{"a": 1, "b": 5.0, "c": None}, {"a": 3, "b": 1.0, "c": 4}, {"a": 2, "b": 9.0}]
    assert medians(rounds) == {"a": 2, "b": 5.0}
