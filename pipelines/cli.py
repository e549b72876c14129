"""`nids ...`: the whole product from a shell. A user's mistake is one sentence, no traceback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nids.errors import NidsError

EXIT_FAILED = 1
EXIT_REJECTED = 3
EXIT_STOPPED = 130
_LOG_WIDTH = 120

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Machine learning for network intrusion detection: train, gate, release, serve, score.",
)

Store = Annotated[Path, typer.Option(help="Model store: versions lie in STORE/MODEL/VERSION/.")]
ModelName = Annotated[str, typer.Option(help="Name the model is served by.")]


@app.command()
def run(
    dataset: Annotated[str, typer.Option(help="simulated, nsl-kdd or unsw-nb15.")] = "simulated",
    data: Annotated[str, typer.Option(help="Folder or file with the data set; simulated needs none.")] = "",
    preset: Annotated[str, typer.Option(help="smoke (minutes), default or full.")] = "default",
    store: Annotated[str, typer.Option(help="Model store: versions lie in STORE/MODEL/VERSION/.")] = ".nids/store",
    work: Annotated[Path, typer.Option(help="Artifacts, cache, checkpoints and one folder per run.")] = Path(".nids"),
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override a pipeline parameter; repeatable.")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Take unchanged steps from earlier runs.")] = True,
    ask: Annotated[bool, typer.Option(help="Serve the released version and ask it over gRPC at the end.")] = True,
) -> None:
    """Run the whole pipeline on this machine.

    Exit 0: approved and released; 3: rejected by the gate; 1: failed; 130: stopped.
    """
    from pipelines import summary
    from pipelines.parameters import load_preset, parse_settings
    from pipelines.runners import StepFailedError, run_locally

    parameters = {
        **load_preset(preset),
        "dataset": dataset,
        "data": data,
        "store": store,
        **parse_settings(settings or []),
    }
    try:
        result = run_locally(parameters, work=work, use_cache=cache)
    except KeyboardInterrupt as error:
        kept = "finished steps and epochs" if cache else "finished epochs of an unfinished training"
        print(f"Stopped. The same command goes on from here: {kept} are kept.", file=sys.stderr)
        raise typer.Exit(EXIT_STOPPED) from error
    except StepFailedError as error:
        print(f"Step {error.step} failed; all it said is in {error.log}", file=sys.stderr)
        raise
    # A log has no width of its own; the tables need some.
    console = Console() if sys.stdout.isatty() else Console(width=_LOG_WIDTH)
    summary.show(result, console)
    if result.version is None:
        raise typer.Exit(EXIT_REJECTED)
    if ask:
        summary.show_answers(result, str(parameters.get("model_name", "nids")), console)


@app.command()
def simulate(
    output: Annotated[Path, typer.Option(help="File to write: .csv, .parquet or .log (Zeek conn.log).")],
    flows: Annotated[int, typer.Option(help="Number of flow records.")] = 20000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
) -> None:
    """Write labelled, simulated flow records with the field names of Zeek's conn.log."""
    from nids.datasets.simulator import write_records

    write_records(output, flows, seed)
    print(f"{flows} simulated flows (seed {seed}) in {output}")


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def serve(
    context: typer.Context,
    store: Store = Path(".nids/store"),
    model_name: ModelName = "nids",
    port: Annotated[int, typer.Option(help="gRPC port; 0 picks a free one.")] = 8500,
    rest_api_port: Annotated[int, typer.Option(help="REST port; 0 picks a free one.")] = 8501,
) -> None:
    """Serve the newest version of the store over gRPC and REST until stopped; newer versions are picked up.

    Further flags go to the server as they are (python -m serving.server --help).
    """
    from serving import server

    flags = [f"--model_name={model_name}", f"--model_base_path={(store / model_name).resolve()}"]
    flags += [f"--port={port}", f"--rest_api_port={rest_api_port}", *context.args]
    raise typer.Exit(server.main(flags))


@app.command()
def predict(
    input: Annotated[Path, typer.Option(help="CSV or Parquet file of raw flows.")],
    server: Annotated[str, typer.Option(help="HOST:PORT of the gRPC API.")] = "127.0.0.1:8500",
    model_name: ModelName = "nids",
    output: Annotated[Path | None, typer.Option(help="CSV or Parquet file to write, else standard output.")] = None,
    batch_size: Annotated[int, typer.Option(help="Flows per request.")] = 1024,
) -> None:
    """Score a file of raw flows by a server: label and probabilities per row."""
    from serving.client import predict_file

    predict_file(input, server=server, model=model_name, output=output, batch_size=batch_size)


@app.command(name="compile")
def compile_pipeline(
    output: Annotated[Path, typer.Option(help="File to write.")] = Path("pipelines/training.yaml"),
) -> None:
    """Write the pipeline's KFP IR YAML, ready to upload to Kubeflow Pipelines."""
    from pipelines.compiling import compile_training

    compile_training(output)
    print(f"Compiled to {output}")


def main() -> None:
    """Entry point of the console script `nids`."""
    try:
        app()
    except NidsError as error:
        print(error, file=sys.stderr)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
