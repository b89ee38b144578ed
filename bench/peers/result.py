"""What one measurement found, as its caller saw it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """`runs` workflow runs of `activities` activities each, all finished after `seconds`.

    `latencies_ms` holds, for each run, the milliseconds from asking for it to having its result.
    """

    runs: int
    activities: int
    seconds: float
    latencies_ms: list[float]

    @property
    def runs_per_second(self) -> float:
        return self.runs / self.seconds

    @property
    def activities_per_second(self) -> float:
        return self.runs * self.activities / self.seconds

    @property
    def p50_ms(self) -> float:
        return self._percentile(50)

    @property
    def p99_ms(self) -> float:
        return self._percentile(99)

    def _percentile(self, percent: float) -> float:
        """The smallest latency that `percent` of the runs did not exceed (the nearest-rank method)."""
        ordered = sorted(self.latencies_ms)
        return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
