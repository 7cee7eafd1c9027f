"""Work ahead of whoever consumes: one thread, a bounded queue, errors passed on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class _Failure:
    """What went wrong in the worker, to be raised by the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


def prefetch(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """The same items in order, made by a thread that runs up to `depth` ahead.

    Worth it where making and using an item both release the GIL. An error in the making is raised here, after the
    items before it. A consumer that stops early stops the worker.
    """
    ahead: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                ahead.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_END)
        except BaseException as error:
            put(_Failure(error))

    worker = threading.Thread(target=work, name="prefetch", daemon=True)
    worker.start()
    try:
        while (item := ahead.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]  # the queue holds items, failures and the end alone
    finally:
        stopped.set()
        worker.join()
