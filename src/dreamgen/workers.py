"""Work done by several processes, in order and a piece at a time, so that memory stays flat."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from dreamgen.errors import DataError, SettingsError

Task = TypeVar("Task")
Done = TypeVar("Done")

Watch = Callable[[int, int], None]
"""Told, after each piece, how many items are done and how many there are."""

_MOST = 16
_PIECE = 100  # items that one task holds


def workers_for(n: int, few: int) -> int:
    """As many processes as there are processors, and this one alone for a few things."""
    return 1 if n <= few else min(processors(), _MOST)


def in_order(work: Callable[[Task], Done], tasks: Iterable[Task], workers: int, doing: str) -> Iterator[Done]:
    """What becomes of each task, in their order.

    Args:
        work: done to each; a function that another process can import.
        tasks: taken as they are needed.
        workers: processes; below 2: none but this one.
        doing: what they do, for the message: "decoded pictures".

    Raises:
        DataError: a worker was killed.
    """
    if workers < 2:
        yield from map(work, tasks)
        return
    # Spawned, since a fork of a process that has threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_follow_parent) as pool:
        waiting: deque[Future[Done]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise DataError(
                f"a process that {doing} was killed, for want of memory or by a damaged file; in a script of "
                'your own, what loads data belongs below `if __name__ == "__main__":`'
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def spread(
    work: Callable[[Sequence[Task]], Sequence[Done]],
    items: Sequence[Task],
    *,
    workers: int = 1,
    watch: Watch | None = None,
    piece: int = _PIECE,
    doing: str = "worked on items",
) -> list[Done]:
    """What `work` finds for each item, in the items' order, whatever the number of processes.

    Args:
        work: some items to as many results, each found from its item alone.
        items: any number.
        workers: processes; 1: this one.
        watch: told, after each piece, how many items are done and how many there are.
        piece: items in a task.
        doing: as in `in_order`.

    Raises:
        SettingsError: fewer than one worker.
        DataError: a worker was killed.
    """
    if workers < 1:
        raise SettingsError(f"workers: expected 1 or more, got {workers}")
    pieces = [items[start : start + piece] for start in range(0, len(items), piece)]
    found: list[Done] = []
    for part in in_order(work, pieces, min(workers, len(pieces)), doing):
        found.extend(part)
        if watch is not None:
            watch(len(found), len(items))
    return found


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _follow_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and do not outlive it where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()
