import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from toy_pipeline import toy_pipeline

from nids.errors import InputError, StoreError
from pipelines import runners
from pipelines.progress import Progress


def run(tmp_path: Path, *, use_cache: bool = True, **values: object) -> Progress:
    values = {"where": str(tmp_path / "pushed"), **values}
    return runners.execute(toy_pipeline, values, work=tmp_path, log=tmp_path / "run.log", use_cache=use_cache)  # type: ignore[arg-type]


def pushes(tmp_path: Path) -> int:
    where = tmp_path / "pushed"
    return len(where.read_text().splitlines()) if where.exists() else 0


def test_steps_are_recorded_in_order_with_time_and_shown_with_their_words(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    progress = run(tmp_path)
    names = [step.name for step in progress.steps]
    # KFP orders steps that do not depend on each other as it likes.
    assert names[0] == "gate"
    assert set(names) == {"gate", "push", "fallible", "after"}
    assert names.index("fallible") < names.index("after")
    assert all(step.succeeded and not step.cached and step.seconds > 0 for step in progress.steps)
    assert Path(progress.outputs["decision"].path).read_text() == "decision"
    shown = capfd.readouterr().out
    assert "[ 1/4] gate\n    the gate sees 0.9\n    done in " in shown
    assert "executor_input" not in shown
    assert "executor_input" in (tmp_path / "run.log").read_text()


def test_the_step_behind_the_gate_runs_only_when_it_opens(tmp_path: Path) -> None:
    assert "push" not in [step.name for step in run(tmp_path, value=0.1).steps]
    assert pushes(tmp_path) == 0
    assert "push" in [step.name for step in run(tmp_path, value=0.9).steps]
    assert pushes(tmp_path) == 1


def test_unchanged_steps_come_from_the_cache_and_the_push_never_does(tmp_path: Path) -> None:
    run(tmp_path)
    again = run(tmp_path)
    assert {step.name: step.cached for step in again.steps} == {
        "gate": True,
        "push": False,
        "fallible": True,
        "after": True,
    }
    assert pushes(tmp_path) == 2
    assert not any(step.cached for step in run(tmp_path, use_cache=False).steps)


def test_another_state_of_the_code_does_not_see_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path)
    monkeypatch.setattr(runners, "code_digest", lambda: "0" * 64)
    assert not any(step.cached for step in run(tmp_path).steps)


def test_a_users_mistake_surfaces_as_its_own_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(runners.StepFailedError) as caught:
        run(tmp_path, trouble="mistake")
    assert str(caught.value) == "Expected a number in column 'b', row 3. Received: 'x'"
    assert caught.value.step == "fallible"
    assert "Traceback" not in capfd.readouterr().out
    assert "Traceback" in caught.value.log.read_text()


def test_a_defect_surfaces_with_the_end_of_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(runners.StepFailedError) as caught:
        run(tmp_path, trouble="defect")
    assert str(caught.value).splitlines()[-1] == "ZeroDivisionError: our own fault"
    assert "in fallible" in str(caught.value)


def test_a_killed_step_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(runners.StepFailedError, match="ended without an error message"):
        run(tmp_path, trouble="killed")


def test_no_step_that_needs_a_failed_one_runs_and_a_mended_run_takes_up_the_rest(tmp_path: Path) -> None:
    with pytest.raises(runners.StepFailedError):
        run(tmp_path, trouble="mistake")
    assert "the step after" not in (tmp_path / "run.log").read_text()
    mended = run(tmp_path)
    assert {step.name: step.cached for step in mended.steps}["gate"]
    assert "after" in [step.name for step in mended.steps]


def test_the_data_digest_changes_with_a_byte_and_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    first = runners.data_digest(tmp_path)
    assert runners.data_digest(tmp_path) == first
    (tmp_path / "a.csv").write_text("2")
    second = runners.data_digest(tmp_path)
    (tmp_path / "a.csv").rename(tmp_path / "b.csv")
    assert len({first, second, runners.data_digest(tmp_path)}) == 3


def test_missing_data_are_refused_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected --data to be a file or folder"):
        runners.run_locally({"data": str(tmp_path / "none"), "store": str(tmp_path / "store")}, work=tmp_path / "work")


def test_an_unknown_data_set_is_refused_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected --dataset to be one of .* Received: 'kdd'"):
        runners.run_locally({"dataset": "kdd", "store": str(tmp_path / "store")}, work=tmp_path / "work")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", ["--store", "--work"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(tmp_path: Path, flag: str) -> None:
    (tmp_path / "file").write_text("")
    blocked, free = tmp_path / "file" / "folder", tmp_path / "free"
    store, work = (blocked, free) if flag == "--store" else (free, blocked)
    with pytest.raises(StoreError, match=f"Expected {flag} to be a folder that can be written"):
        runners.run_locally({"store": str(store)}, work=work)


def test_a_signal_that_was_ignored_before_stays_ignored(tmp_path: Path) -> None:
    toy = Path(__file__).with_name("toy_pipeline.py")
    # As under nohup; the shell hands the disposition on.
    command = ["sh", "-c", f"trap '' HUP; exec '{sys.executable}' '{toy}' '{tmp_path}'"]
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / "started")
    run.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert run.poll() is None
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=60)
    assert err.strip() == "stopped by SIGTERM"


@pytest.mark.parametrize("folder", ["", "  "])
def test_an_empty_store_is_refused_before_the_first_step(tmp_path: Path, folder: str) -> None:
    with pytest.raises(InputError, match="Expected --store to name a folder"):
        runners.run_locally({"store": folder}, work=tmp_path)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, "the step never started"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_run_ends_its_step_too(tmp_path: Path, number: signal.Signals) -> None:
    toy = Path(__file__).with_name("toy_pipeline.py")
    run = subprocess.Popen([sys.executable, str(toy), str(tmp_path)], stderr=subprocess.PIPE, text=True)
    wait_for(tmp_path / "started")
    steps = psutil.Process(run.pid).children(recursive=True)
    assert steps
    run.send_signal(number)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 1
    assert err.strip() == f"stopped by {number.name}"
    assert [step for step in steps if step.is_running() and step.status() != psutil.STATUS_ZOMBIE] == []
