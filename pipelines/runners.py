"""Run the training pipeline: here on this machine, each step in a process of its own, no cluster and no Docker."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import shutil
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from nids import artifacts
from nids.errors import InputError, NidsError, StoreError
from nids.files import file_digest, write_json
from nids.model_store import ModelStore, Version
from pipelines.parameters import Value, check_early, defaults
from pipelines.progress import Progress, Step

# What steps import; the pipeline itself reaches them as parameters, which the cache key holds.
_PACKAGES = ("nids", "serving", "components")
_LIBRARIES = (
    *("numpy", "scipy", "pandas", "polars", "pyarrow", "great-expectations", "scikit-learn", "imbalanced-learn"),
    *("Boruta", "keras", "keras-tuner", "tensorflow", "kfp"),
)

_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_TO_END = 10

# Read by TensorFlow when a step imports it: its start-up chatter would bury what the step has to say.
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "1", "CUDA_VISIBLE_DEVICES": "-1"}


class StepFailedError(NidsError):
    """A step ended with an error. The message is the step's own; `log` holds all it said."""

    def __init__(self, step: str, message: str, log: Path) -> None:
        super().__init__(message)
        self.step = step
        self.log = log


@dataclass(frozen=True)
class RunResult:
    """What a run leaves.

    Attributes:
        folder: the run's own folder: run.log, report.html, validation.html, run.json.
        report: the HTML report.
        evaluation, decision: the artifacts' contents.
        version: the released version, None where the gate rejected.
        test: folder of the test split.
        steps: one record per step, in order.
    """

    folder: Path
    report: Path
    evaluation: artifacts.Evaluation
    decision: artifacts.Decision
    version: Version | None
    test: Path
    steps: list[Step]


def run_locally(parameters: Mapping[str, Value], *, work: Path, use_cache: bool = True) -> RunResult:
    """Run the pipeline whole on this machine.

    Args:
        parameters: values of pipeline parameters, over the pipeline's defaults. `store` is needed.
        work: folder for artifacts, cache, checkpoints and one folder per run.
        use_cache: take unchanged steps from earlier runs: same code, same libraries, same data, same parameters.

    Raises:
        InputError, StoreError: data set, data or a folder cannot be used; found before the first step.
        StepFailedError: a step ended with an error.
    """
    from pipelines.training import training_pipeline

    work = work.resolve()
    values = defaults() | dict(parameters)
    check_early(values)
    if not str(values["store"]).strip():
        raise InputError("Expected --store to name a folder. Received: ''")
    values["store"] = str(_writable_folder(Path(str(values["store"])), "--store"))
    _writable_folder(work, "--work")
    if values["data"]:
        data = Path(str(values["data"])).resolve()
        values |= {"data": str(data), "data_version": f"{values['data_version']} {data_digest(data)}".strip()}
    values["checkpoints"] = values["checkpoints"] or str(work / "checkpoints")

    folder = _new_run_folder(work / "runs")
    progress = execute(training_pipeline, values, work=work, log=folder / "run.log", use_cache=use_cache)
    return _collect(values, folder, progress)


def data_digest(path: Path) -> str:
    """sha256 over names and bytes of a file, or of the files right inside a folder, in hex.

    Raises:
        InputError: nothing is there, or it cannot be read.
    """
    try:
        files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.is_file())
        return _digest_of(f"{file_digest(file)}  {file.name}" for file in files)
    except OSError as error:
        raise InputError(f"Expected --data to be a file or folder that can be read. Received: {path}") from error


def code_digest() -> str:
    """sha256 over what a step's result depends on: our sources, the interpreter and the libraries, in hex."""
    lines = [sys.version, *(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)]
    for package in _PACKAGES:
        root = Path(__file__).resolve().parent.parent / package
        lines += [f"{file_digest(p)}  {package}/{p.relative_to(root)}" for p in sorted(root.rglob("*.py"))]
    return _digest_of(lines)


def execute(pipeline: Any, values: Mapping[str, Value], *, work: Path, log: Path, use_cache: bool) -> Progress:
    """Run a KFP pipeline here, its steps shown on standard output; StepFailedError where one ends with an error."""
    from kfp import local

    os.environ.update({name: os.environ.get(name, value) for name, value in _QUIET.items()})
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(work / "artifacts"),
        raise_on_error=True,
        enable_caching=use_cache,
        # Steps import our packages, which KFP's own cache key does not see.
        cache_root=str(work / "cache" / code_digest()[:16]),
    )
    total = len(pipeline.pipeline_spec.root.dag.tasks)
    with Progress(total, log=log, screen=sys.stdout) as progress:
        root = logging.getLogger()
        handler = logging.StreamHandler(progress)
        root.addHandler(handler)
        level = root.level
        root.setLevel(logging.INFO)
        try:
            with redirect_stdout(progress), warnings.catch_warnings(), _steps_end_with_us():
                # Our image names lack the word "python", which KFP takes for a sign of another language.
                warnings.filterwarnings("ignore", message="You may be attemping to run a task", category=RuntimeWarning)
                task = pipeline(**values)
            progress.outputs = dict(task.outputs)
        except RuntimeError as error:
            failed = progress.failed_step
            if failed is None:
                raise
            raise StepFailedError(failed, progress.failure_message(), log) from error
        finally:
            root.setLevel(level)
            root.removeHandler(handler)
    return progress


@contextmanager
def _steps_end_with_us() -> Iterator[None]:
    """A signal that ends this process ends the running step first; it surfaces as KeyboardInterrupt, as Ctrl-C does."""

    def stop(number: int, _: object) -> None:
        # Before anything else: KFP waits for the step while the exception passes.
        _end_children()
        raise KeyboardInterrupt(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield
        return
    # A signal that is ignored, as under nohup, stays ignored; None is a handler not of Python's making.
    taken = [number for number in _ENDING_SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, stop) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_children() -> None:
    children = psutil.Process().children(recursive=True)
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    _, alive = psutil.wait_procs(children, timeout=_SECONDS_TO_END)
    for child in alive:
        with suppress(psutil.NoSuchProcess):
            child.kill()


def _collect(values: Mapping[str, Value], folder: Path, progress: Progress) -> RunResult:
    outputs = progress.outputs
    report = folder / "report.html"
    shutil.copyfile(outputs["report"].path, report)
    shutil.copyfile(outputs["validation"].path, folder / "validation.html")
    decision = artifacts.load_decision(outputs["decision"].path)
    # Whether a version was released is asked of the store: a run can succeed without its last step.
    store = ModelStore(Path(str(values["store"])))
    name = str(values["model_name"])
    version = store.find(name, decision.model_digest) if decision.approved else None
    if decision.approved and version is None:
        raise StoreError(
            f"Expected the approved model {decision.model_digest[:12]} in {values['store']}. Received: none"
        )
    steps = [asdict(step) for step in progress.steps]
    released = version.number if version else None
    write_json(folder / "run.json", {"parameters": dict(values), "steps": steps, "version": released})
    return RunResult(
        folder=folder,
        report=report,
        evaluation=artifacts.load_evaluation(outputs["evaluation"].path),
        decision=decision,
        version=version,
        test=Path(outputs["test"].path),
        steps=progress.steps,
    )


def _new_run_folder(runs: Path) -> Path:
    for attempt in range(1000):
        name = time.strftime("%Y-%m-%dT%H-%M-%S") + (f"-{attempt}" if attempt else "")
        try:
            (runs / name).mkdir(parents=True)
        except FileExistsError:
            continue
        return runs / name
    raise StoreError(f"Expected a free name for a run in {runs}. Received: none")


def _writable_folder(path: Path, flag: str) -> Path:
    """The folder, made if need be, proven writable before hours of work depend on it."""
    path = path.resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".write-probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StoreError(
            f"Expected {flag} to be a folder that can be written. Received: {path} ({error.strerror})"
        ) from error
    return path


def _digest_of(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
