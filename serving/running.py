"""A server in a process of its own, for as long as a block lasts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from nids.errors import NidsError, StoreError
from serving.connection import Connection
from serving.options import Addresses, ServerOptions
from serving.versions import State

_SIGN = "Serving "
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server under way, with one version available.

    Attributes:
        grpc_address, rest_address: `host:port` by protocol.
        version: the version that became available first.
        pid: its process id.
    """

    grpc_address: str
    rest_address: str
    version: int
    pid: int


@contextmanager
def running_server(
    model_name: str, base_path: str | Path, *, version: int | None = None, timeout: float = 120.0
) -> Iterator[RunningServer]:
    """Serve a model on free ports of this machine until the block ends.

    Args:
        model_name: served name.
        base_path: folder of the versions.
        version: wait until this version is available; None for any.
        timeout: seconds to wait for it.

    Raises:
        StoreError: the server ended, or the version was not available in time; the message says why.
    """
    options = ServerOptions(model_base_path=base_path, model_name=model_name, port=0, rest_api_port=0)
    flags = [f"--{name}={value}" for name, value in asdict(options).items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.server", *flags, "--stop_with_stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output = _Output(process.stdout)
    try:
        end = time.monotonic() + timeout
        addresses = _addresses(process, output, end)
        number = _available(process, output, addresses, model_name, version, end)
        yield RunningServer(addresses.grpc, addresses.rest, number, process.pid)
    finally:
        _stop(process)
        output.thread.join()


class _Output:
    """The last lines a process wrote. Reading them also keeps it from waiting for a reader."""

    def __init__(self, stream: IO[str] | None) -> None:
        self.lines: deque[str] = deque(maxlen=50)
        self.sign: str | None = None
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream: IO[str] | None) -> None:
        if stream is None:
            return
        with stream:
            for line in stream:
                self.lines.append(line.rstrip())
                if self.sign is None and line.startswith(_SIGN):
                    self.sign = line.rstrip()

    @property
    def last(self) -> str:
        return self.lines[-1] if self.lines else "nothing"


def _addresses(process: subprocess.Popen[str], output: _Output, end: float) -> Addresses:
    while output.sign is None:
        _check_alive(process, output, end)
        time.sleep(0.02)
    words = output.sign.replace(",", "").split()
    return Addresses(words[words.index("gRPC") + 1], words[-1].split("/")[2])


def _available(
    process: subprocess.Popen[str], output: _Output, addresses: Addresses, model: str, version: int | None, end: float
) -> int:
    reason = ""
    with closing(Connection(addresses.grpc, model, timeout=5.0)) as connection:
        while True:
            try:
                left = max(0.05, end - time.monotonic())
                statuses = [status for status in connection.status(left) if version in (None, status.version)]
            except NidsError as error:  # no version seen yet
                statuses, reason = [], str(error)
            available = [status.version for status in statuses if status.state is State.AVAILABLE]
            if available:
                return max(available)
            if statuses and all(status.state is State.END for status in statuses):
                text = " ".join(statuses[0].message.split())
                raise StoreError(f"Expected version {statuses[0].version} of {model} to be served. Received: {text}")
            _check_alive(process, output, end, reason)
            time.sleep(0.05)


def _check_alive(process: subprocess.Popen[str], output: _Output, end: float, reason: str = "") -> None:
    if process.poll() is not None:
        output.thread.join()
        raise StoreError(f"Expected a running server. Received: exit code {process.returncode}, {output.last}")
    if time.monotonic() > end:
        asked = f"{reason}; and " if reason else ""
        raise StoreError(f"Expected a served model in time. Received: {asked}as the server's last words: {output.last}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()
