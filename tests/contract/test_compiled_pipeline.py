from pathlib import Path

import yaml

from pipelines.compiling import compile_training

ROOT = Path(__file__).parents[2]
ROOMS = {path.parent.name for path in (ROOT / "components").glob("*/component.py")}


def compiled(tmp_path: Path) -> dict:
    compile_training(tmp_path / "training.yaml")
    return next(yaml.safe_load_all((tmp_path / "training.yaml").read_text()))


def test_the_stored_ir_is_what_the_sources_compile_to(tmp_path: Path) -> None:
    compile_training(tmp_path / "training.yaml")
    stored = (ROOT / "pipelines" / "training.yaml").read_text()
    assert (tmp_path / "training.yaml").read_text() == stored, "run `make compile` and commit pipelines/training.yaml"


def test_every_room_is_in_the_pipeline_and_installs_nothing_at_run_time(tmp_path: Path) -> None:
    executors = compiled(tmp_path)["deploymentSpec"]["executors"]
    assert {name.removeprefix("exec-").replace("-", "_") for name in executors} == ROOMS
    for executor in executors.values():
        assert not any("pip install" in part for part in executor["container"]["command"])


def test_validation_and_test_splits_have_one_writer_and_the_test_split_no_reader_before_evaluation(
    tmp_path: Path,
) -> None:
    tasks = compiled(tmp_path)["root"]["dag"]["tasks"]
    readers: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    for name, task in tasks.items():
        for source in task.get("inputs", {}).get("artifacts", {}).values():
            output = source.get("taskOutputArtifact", {})
            if output.get("producerTask") == "preprocessing" and output["outputArtifactKey"] in readers:
                readers[output["outputArtifactKey"]].add(name)
    assert readers["train"] == {"smote", "feature-selection", "evaluation"}
    assert readers["val"] == {"tuning", "training"}
    assert readers["test"] == {"evaluation", "condition-1"}


def test_only_the_release_escapes_the_cache(tmp_path: Path) -> None:
    ir = compiled(tmp_path)
    tasks = {**ir["root"]["dag"]["tasks"], **ir["components"]["comp-condition-1"]["dag"]["tasks"]}
    uncached = {n for n, task in tasks.items() if not task.get("cachingOptions", {}).get("enableCache")}
    assert uncached - {"condition-1"} == {"model-push"}
