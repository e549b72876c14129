"""From the pipeline's Python to the KFP IR YAML that Kubeflow Pipelines runs."""

from __future__ import annotations

from pathlib import Path

from nids.files import new_file


def compile_training(output: Path) -> None:
    """Compile the training pipeline to `output`: the same sources give the same bytes."""
    from kfp import compiler

    from pipelines.training import training_pipeline

    with new_file(output) as beside:
        compiler.Compiler().compile(training_pipeline, str(beside))
