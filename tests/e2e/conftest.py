import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# The smoke preset, smaller still: a run takes about a minute.
SMALL = {
    "simulated_flows": "6000",
    "boruta_iterations": "8",
    "selection_rows": "1500",
    "tuning_rows": "1000",
    "epochs": "3",
    "baselines": "majority,decision_tree",
    "min_macro_f1": "0.2",
    "min_mcc": "0.1",
    "min_detection_rate": "0.1",
    "max_false_positive_rate": "0.5",
}


@dataclass
class Ran:
    """One finished `nids run`."""

    code: int
    out: str
    err: str
    work: Path
    store: Path

    @property
    def versions(self) -> list[str]:
        folder = self.store / "nids"
        return sorted(p.name for p in folder.iterdir() if p.name.isdigit()) if folder.exists() else []

    def artifact(self, step: str, output: str) -> Path:
        """The folder that `step` wrote last."""
        return max(self.work.glob(f"artifacts/*/{step}/{output}"), key=lambda path: path.parts[-3])


def nids(*arguments: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


def run_pipeline(folder: Path, *, store: str = "store", flags: tuple[str, ...] = (), **settings: str) -> Ran:
    values = SMALL | settings
    arguments = ["--preset", "smoke", "--work", str(folder / "work"), "--store", str(folder / store), *flags]
    for name, value in values.items():
        arguments += ["--set", f"{name}={value}"]
    done = nids("run", *arguments)
    return Ran(done.returncode, done.stdout, done.stderr, folder / "work", folder / store)


@pytest.fixture(scope="session")
def approved(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One whole run that the gate approves."""
    return run_pipeline(tmp_path_factory.mktemp("approved"))
