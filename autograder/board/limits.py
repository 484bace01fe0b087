"""How often one client may do something: a bucket of tokens for each key, refilled at a steady rate."""

from __future__ import annotations

from collections.abc import Callable


class Limiter:
    """Allows `burst` calls at once for each key, and `rate` a second in the long run.

    Args:
        rate: calls a second.
        burst: calls at once.
        clock: gives the time in seconds.
        most_keys: as many keys are remembered; with more, those whose buckets are full are forgotten.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float], most_keys: int = 10_000) -> None:
        self._rate, self._burst, self._clock, self._most_keys = rate, burst, clock, most_keys
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens and when they were counted

    def allows(self, key: str) -> bool:
        """Take a token of `key`. Returns False if it has none left."""
        now = self._clock()
        if key not in self._buckets and len(self._buckets) >= self._most_keys:
            self._buckets = {name: one for name, one in self._buckets.items() if self._tokens(*one, now) < self._burst}
            if len(self._buckets) >= self._most_keys:
                return False
        tokens = self._tokens(*self._buckets.get(key, (self._burst, now)), now)
        if tokens < 1:
            self._buckets[key] = tokens, now
            return False
        self._buckets[key] = tokens - 1, now
        return True

    def _tokens(self, tokens: float, since: float, now: float) -> float:
        return min(self._burst, tokens + self._rate * max(0.0, now - since))  # a clock may be set back
