"""Where a killed fit goes on: everything the next epoch depends on, in one file that is whole or not there."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nids.errors import StoreError
from nids.files import new_file

Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class State:
    """A fit after some epochs. Early stopping is a function of `history`, so that it needs no state of its own.

    Attributes:
        variables: of the model (random states of its layers included) and then of its optimizer.
        best: weights of the best epoch so far.
        history: one entry per finished epoch.
    """

    variables: Arrays
    best: Arrays
    history: list[dict[str, Any]]


class Checkpoint:
    """The last state of one fit, and of no other.

    Args:
        folder: where checkpoints live, many fits side by side; made where it is not there.
        fit: all that determines the course of the fit, as JSON values. Not the number of epochs nor the patience:
            they only say when to stop.

    Raises:
        StoreError: nothing can be written in `folder`.
    """

    def __init__(self, folder: Path, fit: Mapping[str, Any]) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise StoreError(f"Expected checkpoints to be a folder to write in. Received: {error}") from error
        key = hashlib.sha256(json.dumps(fit, sort_keys=True).encode()).hexdigest()
        self.path = folder / f"{key[:32]}.npz"

    def save(self, state: State) -> None:
        groups = {"variables": state.variables, "best": state.best}
        arrays = {f"{group}_{i}": array for group, each in groups.items() for i, array in enumerate(each)}
        try:
            with new_file(self.path) as beside, beside.open("wb") as file:
                np.savez(file, history=json.dumps(state.history), **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise StoreError(f"Expected to write the checkpoint {self.path}. Received: {error}") from error

    def load(self, say: Callable[[str], None]) -> State | None:
        """The state saved last; None where there is none, or, as `say` is told, none that can be read."""
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as file:
                history = json.loads(str(file["history"]))
                return State(_group(file, "variables"), _group(file, "best"), history)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            say(f"the checkpoint {self.path} cannot be read ({error}); training starts from the first epoch")
            return None

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _group(file: Mapping[str, npt.NDArray[Any]], name: str) -> Arrays:
    count = sum(1 for key in file if key.startswith(f"{name}_"))
    return [file[f"{name}_{i}"] for i in range(count)]
