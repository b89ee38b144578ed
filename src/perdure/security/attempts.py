"""Failed attempts to get in, by address: whoever guesses becomes slow.

What is limited is checking, not people: a token of this server that is good, and one of the issuer's that was found good
before, get in from any address at any time. So nobody is locked out by others behind the same address.
"""

import ipaddress
from collections import OrderedDict

from perdure.engine.rates import SECOND_NS, Bucket
from perdure.model.errors import LimitExceededError

MOST_ADDRESSES = 10_000


class Attempts:
    """So many may fail in a minute, from one address; 0 for any number."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def check(self, host: str, now: int) -> None:
        """Raise ``LimitExceededError`` if too many from there have failed. ``now`` is ns since 1970."""
        bucket = self._buckets.get(_network(host))
        wait = 0 if bucket is None else bucket.wait(now)
        if wait:
            seconds = wait / SECOND_NS
            raise LimitExceededError(
                f"More than {self._per_minute} attempts a minute to get in from {host} have failed (setting "
                f"failed_attempts_per_minute). Try again in {seconds:.3g} s.",
                retry_after_seconds=seconds,
            )

    def failed(self, host: str, now: int) -> None:
        """One more. Raises as ``check`` if there were too many before."""
        if not self._per_minute:
            return
        self.check(host, now)
        network = _network(host)
        bucket = self._buckets.get(network)
        if bucket is None:
            bucket = self._buckets[network] = Bucket(self._per_minute / 60, self._per_minute)
            if len(self._buckets) > MOST_ADDRESSES:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(network)
        bucket.take(now)


def _network(host: str) -> str:
    """What is one caller: an address, or the /64 that one machine has of IPv6."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else str(ipaddress.ip_network((address, 64), strict=False))
