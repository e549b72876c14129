"""A small real KFP pipeline for the tests of the runner: a gate, a step behind it, and a step that can fail."""

from typing import NamedTuple

from kfp import dsl

from components.base import component


@component(base_image="python")
def gate(value: float, decision: dsl.Output[dsl.Artifact]) -> bool:
    import pathlib

    pathlib.Path(decision.path).write_text("decision")
    print(f"the gate sees {value}", flush=True)
    return value > 0.5


@component(base_image="python")
def push(decision: dsl.Input[dsl.Artifact], where: str):
    import pathlib

    with pathlib.Path(where).open("a") as file:
        file.write("pushed\n")


@component(base_image="python")
def fallible(decision: dsl.Input[dsl.Artifact], trouble: str = ""):
    import os
    import signal

    from nids.errors import InputError

    if trouble == "mistake":
        raise InputError("Expected a number in column 'b', row 3. Received: 'x'")
    if trouble == "defect":
        raise ZeroDivisionError("our own fault")
    if trouble == "killed":
        os.kill(os.getpid(), signal.SIGKILL)


@component(base_image="python")
def after(done: bool):
    print("the step after", flush=True)


class Outputs(NamedTuple):
    decision: dsl.Artifact


@dsl.pipeline(name="toy")
def toy_pipeline(where: str, value: float = 0.9, trouble: str = "") -> Outputs:
    judged = gate(value=value)
    with dsl.If(judged.outputs["Output"] == True, name="approved"):  # noqa: E712
        push(decision=judged.outputs["decision"], where=where).set_caching_options(False)
    tried = fallible(decision=judged.outputs["decision"], trouble=trouble)
    after(done=judged.outputs["Output"]).after(tried)
    return Outputs(decision=judged.outputs["decision"])


@component(base_image="python")
def sleepy(started: str):
    import pathlib
    import time

    pathlib.Path(started).write_text("started")
    time.sleep(300)


@dsl.pipeline(name="long")
def long_pipeline(started: str):
    sleepy(started=started)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from pipelines.runners import execute

    folder = Path(sys.argv[1])
    try:
        execute(
            long_pipeline, {"started": str(folder / "started")}, work=folder, log=folder / "run.log", use_cache=False
        )
    except KeyboardInterrupt as stopped:
        sys.exit(f"stopped by {stopped}")
