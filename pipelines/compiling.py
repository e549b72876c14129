"""From the pipeline's Python to the KFP IR YAML that Kubeflow Pipelines runs."""

from __future__ import annotations

from pathlib import Path

from nids.errors import StoreError
from nids.files import new_file


def compile_training(output: Path) -> None:
    """Compile the training pipeline to `output`: the same sources give the same bytes.

    Raises:
        StoreError: `output` cannot be written.
    """
    from kfp import compiler

    from pipelines.training import training_pipeline

    try:
        with new_file(output) as beside:
            compiler.Compiler().compile(training_pipeline, str(beside))
    except OSError as error:
        raise StoreError(f"Expected --output to be a file that can be written. Received: {output} ({error})") from error
