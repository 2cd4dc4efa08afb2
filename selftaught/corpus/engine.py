"""Who does the work: this process, a pool of processes, or a Ray cluster. The results come in the order of the work."""

import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from logging import ERROR
from multiprocessing import connection, get_context, parent_process
from typing import Any, TypeVar

from selftaught.errors import SelftaughtError

ENGINES = ("pool", "ray")
T = TypeVar("T")
R = TypeVar("R")
_AHEAD = 4  # pieces of work a worker that wait for it: more would only fill the memory


class Engine(ABC):
    """Does the same to many things."""

    @abstractmethod
    def map(self, work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
        """The results in order; whichever things are done first."""


class Alone(Engine):
    """In this process, one thing after the other."""

    def map(self, work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
        return map(work, things)


class Pool(Engine):
    """Processes of this machine."""

    def __init__(self, executor: ProcessPoolExecutor, workers: int) -> None:
        self._executor, self._workers = executor, workers

    def map(self, work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
        waiting: deque[Future[R]] = deque()
        try:
            for thing in things:
                waiting.append(self._executor.submit(work, thing))
                if len(waiting) >= _AHEAD * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise SelftaughtError(
                "a worker was ended from outside, perhaps because memory ran out",
                do="run the same command again, with fewer --workers; what is done is kept",
            ) from error


class Ray(Engine):
    """The workers of a Ray cluster; what a lost one was doing is done by another."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def map(self, work: Callable[[T], R], things: Iterable[T]) -> Iterator[R]:
        import ray

        remote = ray.remote(_done).options(num_cpus=1, max_retries=3)
        waiting: deque[Any] = deque()
        for thing in things:
            waiting.append(remote.remote(work, thing))
            if len(waiting) >= _AHEAD * self._workers:
                yield _taken(waiting.popleft())
        while waiting:
            yield _taken(waiting.popleft())


@contextmanager
def engine(name: str, workers: int | None) -> Iterator[Engine]:
    """The engine of this name.

    Args:
        workers: all cores if not given; of a cluster that is there already, its own.

    Raises:
        SelftaughtError: there is no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise SelftaughtError(f"there is no engine {name!r}", do="take " + " or ".join(ENGINES))
    if workers is not None and workers < 1:
        raise SelftaughtError(f"{workers} workers do nothing", do="give --workers 1 or more")
    if name == "ray":
        with _cluster(workers) as cluster:
            yield cluster
        return
    number = workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or os.cpu_count()
    assert number is not None
    if number == 1:
        yield Alone()
        return
    context = get_context("forkserver")
    context.set_forkserver_preload(["selftaught.corpus.cleaning"])
    executor = ProcessPoolExecutor(number, context, _follow_parent)
    try:
        yield Pool(executor, number)
    finally:
        executor.shutdown(cancel_futures=True)


@contextmanager
def _cluster(workers: int | None) -> Iterator[Engine]:
    try:
        import ray
    except ImportError:
        raise SelftaughtError("Ray is not installed", do="pip install 'selftaught[cluster]'") from None
    begun = not ray.is_initialized()
    if begun:
        there = "RAY_ADDRESS" in os.environ
        ray.init(num_cpus=None if there else workers, include_dashboard=False, log_to_driver=False, logging_level=ERROR)
    try:
        yield Ray(workers or int(ray.cluster_resources().get("CPU", 1)))
    finally:
        if begun:
            ray.shutdown()


def _done(work: Callable[[T], R], thing: T) -> R:
    return work(thing)


def _taken(reference: Any) -> Any:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SelftaughtError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise SelftaughtError(
            f"a worker of the cluster was lost: {str(error).splitlines()[0]}",
            do="run the same command again; what is done is kept",
        ) from error


def _follow_parent() -> None:
    """A worker ends when the process that it works for does, even by SIGKILL: nobody waits for it any more."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
