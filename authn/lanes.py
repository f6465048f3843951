"""A queue of queues: each lane is served in turn, so that a crowd in one does not hold up the others."""

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Lane = TypeVar("Lane")
Item = TypeVar("Item")


class Lanes(Generic[Lane, Item]):
    """First in, first out within a lane; one from each lane in turn."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Lane, deque[Item]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, lane: Lane, item: Item) -> None:
        """Join the end of a lane."""
        self._lane(lane).append(item)
        self._length += 1

    def put_back(self, lane: Lane, item: Item) -> None:
        """Stand at the front of a lane again, after having been taken too early; and it is this lane's turn still.

        At the end of the round instead, a lane of one would find the others served first each time.
        """
        self._lane(lane).appendleft(item)
        self._lanes.move_to_end(lane, last=False)
        self._length += 1

    def take(self) -> Item:
        """The next item of the lane whose turn it is. Raises LookupError when nothing waits."""
        lane, items = self._lanes.popitem(last=False)
        item = items.popleft()
        if items:
            self._lanes[lane] = items  # to the end of the round
        self._length -= 1
        return item

    def _lane(self, lane: Lane) -> deque[Item]:
        items = self._lanes.get(lane)
        if items is None:
            items = self._lanes[lane] = deque()
        return items
