"""Work on many items, spread over processes, with the results in the order of the items."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from dreamgen.errors import DataError, SettingsError

Item = TypeVar("Item")
Found = TypeVar("Found")
Watch = Callable[[int, int], None]
"""Told, after each piece, how many items are done and how many there are."""

_PIECE = 100  # items that one task holds


def spread(
    work: Callable[[Sequence[Item]], Sequence[Found]],
    items: Sequence[Item],
    *,
    workers: int = 1,
    watch: Watch | None = None,
    piece: int = _PIECE,
) -> list[Found]:
    """What `work` finds for each item, in the items' order, whatever the number of processes.

    Args:
        work: some items to as many results, each found from its item alone; with several workers it must be a
            function at the top of a module, or a `partial` of one, so that a process can be told of it.
        items: any number.
        workers: processes; 1: this one.
        watch: called after each piece with the items done and all of them.
        piece: items in a task.

    Raises:
        SettingsError: fewer than one worker.
        DataError: a worker was killed.
    """
    if workers < 1:
        raise SettingsError(f"workers: expected 1 or more, got {workers}")
    pieces = [items[start : start + piece] for start in range(0, len(items), piece)]
    found: list[Found] = []
    alone = workers == 1 or len(pieces) < 2
    for part in map(work, pieces) if alone else _by_processes(work, pieces, workers):
        found.extend(part)
        if watch is not None:
            watch(len(found), len(items))
    return found


def _by_processes(
    work: Callable[[Sequence[Item]], Sequence[Found]], pieces: list[Sequence[Item]], workers: int
) -> Iterator[Sequence[Found]]:
    # Spawned, since a fork of a process that has threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(pieces)), context, initializer=follow_parent) as pool:
        waiting: deque[Future[Sequence[Found]]] = deque()
        try:
            for task in pieces:
                waiting.append(pool.submit(work, task))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise DataError(
                "a worker process was killed, for want of memory or by what it was given; in a script of your own, "
                'what starts workers belongs below `if __name__ == "__main__":`'
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def follow_parent() -> None:
    """In a worker: leave Ctrl-C to the parent, and do not outlive it where it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel
        threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()
