"""Bounded stores that threads share. What is over the bound goes, least recently used first."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

Item = TypeVar("Item")


class Shelf(Generic[Item]):
    """Items by key, as many as fit. `room` and `size_of` are in any one unit, such as bytes; an item larger than the
    room is not kept."""

    def __init__(self, room: int, size_of: Callable[[Item], int] = lambda _: 1) -> None:
        self._room, self._size_of = room, size_of
        self._items: OrderedDict[Hashable, Item] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()
        self.used = 0

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Hashable) -> Item | None:
        """The item, or None."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key]

    def put(self, key: Hashable, item: Item) -> None:
        """Keep an item, in the place of one of the same key."""
        with self._lock:
            self._drop(key)
            self._items[key] = item
            self.used += self._size_of(item)
            while self.used > self._room:
                self._drop(next(iter(self._items)))

    def take(self, key: Hashable) -> Item | None:
        """The item, which is kept no longer; or None."""
        with self._lock:
            return self._drop(key)

    def get_or_make(self, key: Hashable, make: Callable[[], Item]) -> Item:
        """The item, made if it is not there. Of threads that want it at once one makes it and the others wait."""
        item = self.get(key)
        if item is not None:
            return item
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                item = self.get(key)
                if item is None:
                    item = make()
                    self.put(key, item)
                return item
        finally:
            with self._lock:
                self._making.pop(key, None)

    def _drop(self, key: Hashable) -> Item | None:
        item = self._items.pop(key, None)
        if item is not None:
            self.used -= self._size_of(item)
        return item


class Register(Generic[Item]):
    """Items by key for as long as someone holds them, and the `kept` last asked for beyond that."""

    def __init__(self, kept: int) -> None:
        self._held: WeakValueDictionary[Hashable, Item] = WeakValueDictionary()
        self._last: deque[Item] = deque(maxlen=kept)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get_or_make(
        self, key: Hashable, make: Callable[[], Item], good: Callable[[Item], bool] = lambda _: True
    ) -> Item:
        """The item, made if there is none or it is not `good` any more. Making must be quick: others wait."""
        with self._lock:
            item = self._held.get(key)
            if item is None or not good(item):
                item = self._held[key] = make()
            if item in self._last:
                self._last.remove(item)
            self._last.append(item)
            return item
