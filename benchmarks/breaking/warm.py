"""A warm interpreter that forks: every job is a process of its own, and starts in milliseconds.

The server has imported everything and runs one thread, so that a fork is whole. It answers an order with the number
of the new process, and reaps it only when asked: until then the number is nobody else's, and may be killed.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parents[1]
_CRASH = 70  # exit code of a job that ended in an exception


@dataclass(frozen=True)
class Ended:
    """How a job ended: its exit code (negative: the signal), what it returned, what it wrote, whether it hung."""

    code: int
    result: Any
    err: str
    hung: bool


class Child:
    """A job that runs."""

    def __init__(self, server: "subprocess.Popen[str]", pid: int, folder: Path) -> None:
        self.pid, self._server, self._folder = pid, server, folder

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = 120.0) -> Ended:
        """How it ended; killed once `timeout` seconds are over."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print("reap", file=self._server.stdin, flush=True)
        hung = not select.select([self._server.stdout], [], [], timeout)[0]
        if hung:
            self.kill()
        code = int(self._server.stdout.readline())
        result, err = self._folder / "result.json", self._folder / "err"
        value = json.loads(result.read_text()) if result.exists() else None
        # A job can be killed before it has so much as opened its file.
        return Ended(code, value, err.read_text(errors="replace") if err.exists() else "", hung)


class Warm:
    """Starts jobs, one at a time."""

    def __init__(self) -> None:
        paths = [str(_HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from breaking.warm import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._jobs = 0

    def start(self, job: str, place: Path, **arguments: Any) -> Child:
        """Start a function of `breaking.jobs`, which says what it has to say in `place`; the last must have ended."""
        self._jobs += 1
        said = place / f"job-{self._jobs}"
        said.mkdir(parents=True)
        order = {"job": job, "place": str(said), "arguments": {k: _plain(v) for k, v in arguments.items()}}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(order), file=self._server.stdin, flush=True)
        return Child(self._server, int(self._server.stdout.readline()), said)

    def close(self) -> None:
        """Let the server end."""
        with self._server as server:
            assert server.stdin is not None
            server.stdin.close()


@cache
def warm_server() -> Warm:
    """The one server of this process; it ends with it."""
    warm = Warm()
    atexit.register(warm.close)
    return warm


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def serve() -> None:
    """The server's side: an order a line, answered by a number; then "reap", answered by an exit code."""
    import torch

    from breaking import jobs

    torch.set_num_threads(1)
    jobs.warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            _work(getattr(jobs, order["job"]), Path(order["place"]), order["arguments"])
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _work(job: Any, place: Path, arguments: dict[str, Any]) -> None:
    code = 0
    try:
        for number in (1, 2):
            os.dup2(os.open(place / ("out", "err")[number - 1], os.O_WRONLY | os.O_CREAT, 0o666), number)
        result = job(**arguments)
        if result is not None:
            (place / "result.json").write_text(json.dumps(result))
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
        code = _CRASH
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
