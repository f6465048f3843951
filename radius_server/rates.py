"""How many logins a second one sender gets through: token buckets that hold one second's worth."""

from collections.abc import Hashable
from dataclasses import dataclass

MAX_REMEMBERED = 8192


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float


class Rates:
    """Counts logins by sender, over a bounded number of senders."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, _Bucket] = {}

    def admits(self, sender: Hashable, per_second: int, now: float) -> bool:
        """Whether one more login of a sender keeps to its rate. `now` is monotonic."""
        bucket = self._buckets.get(sender)
        if bucket is None:
            if len(self._buckets) >= MAX_REMEMBERED:
                self._forget_full(now)
            bucket = self._buckets[sender] = _Bucket(float(per_second), now)
        bucket.left = min(float(per_second), bucket.left + (now - bucket.filled_at) * per_second)
        bucket.filled_at = now
        if bucket.left < 1.0:
            return False
        bucket.left -= 1.0
        return True

    def _forget_full(self, now: float) -> None:
        """Forget who has been quiet for a second: such a bucket is full again, and the same as none."""
        quiet = [sender for sender, bucket in self._buckets.items() if now - bucket.filled_at >= 1.0]
        for sender in quiet or list(self._buckets):
            del self._buckets[sender]
