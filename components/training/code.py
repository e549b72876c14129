"""Which code a checkpoint belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import nids.models
from nids.files import file_digest

FOLDERS = (Path(nids.models.__file__).parent, Path(__file__).parent)
"""Where the course of a fit is written down: models and how they are fitted, and this room."""


def code_digest(folders: Sequence[Path] = FOLDERS) -> str:
    """sha256 over names and digests of the Python files right inside `folders`, in hex."""
    lines = [
        f"{number}  {file.name}  {file_digest(file)}"
        for number, folder in enumerate(folders)
        for file in sorted(folder.glob("*.py"))
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
