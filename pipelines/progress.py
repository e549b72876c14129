"""What a person sees of a local run: step, its words, its time and memory. All else goes to the log."""

from __future__ import annotations

import io
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import psutil

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_STARTED = re.compile(r"Executing task '([^']+)'")
_CACHED = re.compile(r"Task (\S+) cache hit")
_ENDED = re.compile(r"Task '([^']+)' finished with status (SUCCESS|FAILURE)")
_ERROR = re.compile(r"^((?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit))(?:: (.*))?$")
_OURS = "nids.errors."
_NOISE = re.compile(
    r"^(\[KFP Executor|WARNING: All log messages before absl|[IWEF]\d{4} |\s*warnings\.warn)|FutureWarning|UserWarning"
)
_EXECUTOR_INPUT = re.compile(r"^\[KFP Executor.*executor_input:$")
_INDENT = " " * 4
_SAMPLE_SECONDS = 0.1


@dataclass
class Step:
    """One step of a run.

    Attributes:
        name: name of the room.
        seconds: wall-clock time.
        peak_megabytes: largest resident memory of its processes together, sampled ten times a second.
        cached: taken from an earlier run.
        succeeded: None while it runs.
    """

    name: str
    seconds: float = 0.0
    peak_megabytes: float = 0.0
    cached: bool = False
    succeeded: bool | None = None


class Progress(io.TextIOBase):
    """Stands in for standard output while KFP runs steps here; KFP tells its story in no other way.

    Everything written goes to `log`. Step boundaries and the steps' own lines go to `screen`.
    """

    def __init__(self, total: int, *, log: Path, screen: TextIO) -> None:
        self.steps: list[Step] = []
        self.outputs: dict[str, Any] = {}
        self._total = total
        self._log_path = log
        self._screen = screen
        self._partial = ""
        self._said: list[str] = []
        self._said_by_failed: list[str] = []
        self._in_executor_input = False
        self._started = 0.0
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Progress:
        self._log = self._log_path.open("w")
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._sampler.join()
        self._log.close()

    @property
    def failed_step(self) -> str | None:
        """Name of the step that ended with an error, None where none did."""
        return next((step.name for step in self.steps if step.succeeded is False), None)

    def failure_message(self) -> str:
        """The failed step's own error: one sentence for a user's mistake, the traceback's end for a defect."""
        said = self._said_by_failed
        for index in range(len(said) - 1, -1, -1):
            match = _ERROR.match(said[index])
            if match is None:
                continue
            name, message = match.group(1), match.group(2) or ""
            rest = [line for line in said[index + 1 :] if line.strip() and not _NOISE.search(line)]
            if name.startswith(_OURS):
                return " ".join([message, *(line.strip() for line in rest)])
            return "\n".join([*said[max(0, index - 12) : index + 1], *rest])
        if _has_traceback(said):
            return "\n".join([line for line in said if line.strip()][-12:])
        return "It ended without an error message, as a process does that the system stopped (out of memory?)."

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._line(_ANSI.sub("", line))
        return len(text)

    def flush(self) -> None:
        self._screen.flush()

    def _line(self, line: str) -> None:
        self._log.write(line + "\n")
        self._log.flush()
        if match := _STARTED.search(line):
            self._begin(match.group(1))
        elif match := _CACHED.search(line):
            self._begin(match.group(1))
            self.steps[-1].cached = True
            self._end(True)
        elif match := _ENDED.search(line):
            self._end(match.group(2) == "SUCCESS")
        elif self._running and line.startswith(_INDENT):
            said = line[len(_INDENT) :].rstrip()
            self._said.append(said)
            if _EXECUTOR_INPUT.search(said):
                self._in_executor_input = True
            elif self._in_executor_input:
                self._in_executor_input = said != "}"
            elif said and not _NOISE.search(said) and not _has_traceback(self._said):
                self._show(f"{_INDENT}{said}")

    @property
    def _running(self) -> bool:
        return bool(self.steps) and self.steps[-1].succeeded is None

    def _begin(self, name: str) -> None:
        self.steps.append(Step(name.replace("-", "_")))
        self._said = []
        self._started = time.monotonic()
        self._show(f"[{len(self.steps):2}/{self._total}] {self.steps[-1].name}")

    def _end(self, succeeded: bool) -> None:
        step = self.steps[-1]
        step.succeeded = succeeded
        if not succeeded:  # steps that do not depend on it may follow
            self._said_by_failed = self._said
        step.seconds = time.monotonic() - self._started
        if step.cached:
            text = "unchanged, taken from an earlier run"
        elif succeeded:
            text = f"done in {step.seconds:.1f} s, peak memory {step.peak_megabytes:.0f} MB"
        else:
            text = f"failed after {step.seconds:.1f} s"
        self._show(f"{_INDENT}{text}")

    def _show(self, text: str) -> None:
        # Not print(): KFP replaces it while a step runs.
        self._screen.write(text + "\n")
        self._screen.flush()

    def _sample(self) -> None:
        this = psutil.Process()
        while not self._stop.wait(_SAMPLE_SECONDS):
            if not self._running:
                continue
            used = 0
            for child in this.children(recursive=True):
                try:
                    used += child.memory_info().rss
                except psutil.Error:  # it ended between the listing and the look
                    continue
            step = self.steps[-1]
            step.peak_megabytes = max(step.peak_megabytes, used / 1e6)


def _has_traceback(lines: list[str]) -> bool:
    return any(line.startswith("Traceback (most recent call last)") for line in lines)
