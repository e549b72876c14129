"""Files that are either whole or not there, and digests of what they hold."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nids.errors import ArtifactError


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """Fill a folder beside `path`, which takes the name `path` only once the block has ended without an error.

    An existing `path` is replaced. After an error nothing of the new folder is left.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    beside.mkdir()
    try:
        yield beside
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Write a file beside `path`, renamed to `path` only once the block has ended without an error."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{uuid.uuid4().hex}.{target.name}")
    try:
        yield beside
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON with sorted keys; NaN and infinities become null, which a reader must treat as missing."""
    with new_file(path) as beside:
        beside.write_text(json.dumps(_finite(value), indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """The value in a JSON file; ArtifactError where it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"Expected a JSON file at {path}. Received: {error}") from error


def file_digest(path: str | Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(path: str | Path) -> list[str]:
    """Relative names of all files below a folder, sorted; none where there is no folder.

    Raises:
        ArtifactError: a link is among them: what it points to may change, or is not copied along; or a folder below
            cannot be read.
    """
    root = Path(path)
    names = []
    try:
        for folder, folders, files in os.walk(root, onerror=_unless_missing):
            entries = [Path(folder, name) for name in (*folders, *files)]
            for entry in entries:
                if entry.is_symlink():
                    raise ArtifactError(f"Expected no link below {root}. Received: {entry}")
            names += [entry.relative_to(root).as_posix() for entry in entries[len(folders) :] if entry.is_file()]
    except OSError as error:
        raise ArtifactError(f"Expected folders that can be read below {root}. Received: {error}") from error
    return sorted(names)


def tree_digest(path: str | Path) -> str:
    """sha256 over the relative names and digests of all files below a folder, in hex.

    Raises:
        ArtifactError: there is no such folder, it holds no file, or it holds a link.
    """
    root = Path(path)
    files = files_below(root)
    if not files:
        raise ArtifactError(f"Expected a folder with files at {root}. Received: none")
    total = hashlib.sha256()
    for name in files:
        total.update(f"{file_digest(root / name)}  {name}\n".encode())
    return total.hexdigest()


def sync(path: Path) -> None:
    """Bring a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
