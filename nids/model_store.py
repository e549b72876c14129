"""The model store: numbered, immutable versions of served models in a local folder.

    <root>/<model>/<number>/saved_model.pb    a SavedModel; <root>/<model> is TensorFlow Serving's base path
    <root>/<model>/<number>/release.json      what was released and why, with the sha256 of every other file
    <root>/<model>/.last                      the highest number ever given out: none is given twice
    <root>/<model>/.lock                      held by the one publisher at work
    <root>/<model>/.incoming-*                a version being written; nobody reads hidden names

A version appears whole, by one rename, or not at all.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nids.errors import ArtifactError, InputError, NotFoundError, StoreError
from nids.files import file_digest, files_below, read_json, sync, write_json
from nids.version_numbers import LARGEST, is_number, version_numbers

RELEASE = "release.json"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_LAST = ".last"
_LOCK = ".lock"
_INCOMING = ".incoming-"
_PROBE = ".probe-"  # of another name: a sweep would take it for a leftover


@dataclass(frozen=True)
class Version:
    """A version in a store.

    Attributes:
        model: served name.
        number: its number, from 1.
        path: its folder.
        release: the content of `release.json`: `model`, `version`, `model_digest`, `files` (sha256 by relative
            path), and what the publisher added.
    """

    model: str
    number: int
    path: Path
    release: dict[str, Any]

    @property
    def model_digest(self) -> str:
        return str(self.release["model_digest"])


class ModelStore:
    """A store in the folder `root`, which need not exist before the first publish.

    Args:
        root: folder of the store.
        lock_timeout: seconds to wait for another publisher of the same model.

    Raises:
        InputError: `root` is empty or an address.
    """

    def __init__(self, root: str | Path, lock_timeout: float = 120.0) -> None:
        if not str(root) or "://" in str(root) or str(root).startswith(("s3:", "gs:")):
            raise InputError(f"Expected the model store to be a local folder. Received: {str(root)!r}")
        self.root = Path(root)
        self._lock_timeout = lock_timeout

    def versions(self, model: str) -> list[int]:
        """Version numbers, ascending; none for a model that was never published."""
        return version_numbers(self._folder(model))

    def get(self, model: str, number: int) -> Version:
        """One version.

        Raises:
            NotFoundError: the store has no such version.
            ArtifactError: its release.json is damaged.
        """
        path = self._folder(model) / str(number)
        if number not in self.versions(model):
            raise NotFoundError(
                f"Expected version {number} of {model} in {self.root}. Received: {self.versions(model)}"
            )
        release = read_json(path / RELEASE)
        if not isinstance(release, dict) or "model_digest" not in release or not isinstance(release.get("files"), dict):
            raise ArtifactError(f"Expected model_digest and files in {path / RELEASE}")
        return Version(model, number, path, release)

    def latest(self, model: str) -> Version:
        """The highest version; NotFoundError where there is none."""
        numbers = self.versions(model)
        if not numbers:
            raise NotFoundError(f"Expected a version of {model} in {self.root}. Received: none")
        return self.get(model, numbers[-1])

    def find(self, model: str, model_digest: str) -> Version | None:
        """The newest version made from exactly the model of that digest, None where there is none.

        A version without a legible record is nobody's: it must not stop the next release. `verify` reports it.
        """
        for number in reversed(self.versions(model)):
            with suppress(ArtifactError, NotFoundError):
                version = self.get(model, number)
                if version.model_digest == model_digest:
                    return version
        return None

    def flaw(self, version: Version) -> str | None:
        """Why a server of the latest version does not serve this one as it was released, None where it does."""
        try:
            self.verify(version.model, version.number)
        except (ArtifactError, NotFoundError) as error:
            return f"it is damaged ({error})"
        latest = self.versions(version.model)[-1]
        return f"version {latest} is served instead" if latest != version.number else None

    def check_writable(self, model: str) -> None:
        """Find out now, and without a trace, what would stop a publish after heavy work.

        Raises:
            StoreError: the folder of the model cannot be made or written.
        """
        folder = self._folder(model)
        with _as_store_error(folder):
            ancestor = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
            probe = ancestor / f"{_PROBE}{uuid.uuid4().hex}"
            probe.mkdir()
            probe.rmdir()

    def publish(
        self, model: str, source: str | Path, model_digest: str, about: Mapping[str, Any] | None = None
    ) -> tuple[Version, bool]:
        """Make `source` the next version, unless the latest is of that digest and undamaged.

        A model held as an older version becomes the next one, too: what is released is what servers take.

        Args:
            model: served name.
            source: folder with `saved_model.pb`; it is copied.
            model_digest: digest of the model folder that it was made from.
            about: what `release.json` shall say besides; plain JSON values.

        Returns:
            The version, and whether it is new.

        Raises:
            InputError: `source` holds no SavedModel, or `model` is no name.
            ArtifactError: `source` holds a link.
            StoreError: the store cannot be written, or another publisher does not finish.
        """
        if not (Path(source) / "saved_model.pb").is_file():
            raise InputError(f"Expected a SavedModel in {source}. Received no saved_model.pb")
        folder = self._folder(model)
        with _as_store_error(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with self._locked(folder):
                found = self.find(model, model_digest)
                if found is not None and self.flaw(found) is None:
                    return found, False
                _sweep(folder)
                return self._write(model, Path(source), {**(about or {}), "model_digest": model_digest}), True

    def verify(self, model: str, number: int) -> Version:
        """Recompute the digest of every file of a version.

        Raises:
            NotFoundError: the store has no such version.
            ArtifactError: a file is missing, unreadable, changed or added, or release.json speaks of another version.
        """
        version = self.get(model, number)
        if (version.release.get("model"), version.release.get("version")) != (model, number):
            raise ArtifactError(f"Expected {version.path / RELEASE} to speak of version {number} of {model}")
        try:
            expected, received = version.release["files"], _digests(version.path)
        except OSError as error:
            raise ArtifactError(f"Expected files that can be read in {version.path}. Received: {error}") from error
        wrong = sorted(name for name in {*expected, *received} if expected.get(name) != received.get(name))
        if wrong:
            raise ArtifactError(f"Expected the released bytes in {version.path}. Missing, changed or added: {wrong}")
        return version

    def _folder(self, model: str) -> Path:
        if not _NAME.fullmatch(model):
            raise InputError(
                "Expected a model name of letters, digits, '_', '-' and '.', the first a letter or digit. "
                f"Received: {model!r}"
            )
        return self.root / model

    def _write(self, model: str, source: Path, about: dict[str, Any]) -> Version:
        folder = self._folder(model)
        incoming = folder / f"{_INCOMING}{uuid.uuid4().hex}"
        try:
            shutil.copytree(source, incoming, symlinks=True)  # so that a link is seen, not followed
            files = _digests(incoming)
            while True:
                number = _next_number(folder)
                release = {**about, "model": model, "version": number, "files": files}
                write_json(incoming / RELEASE, release)
                _sync_tree(incoming)
                # Before the rename: a publisher killed in between leaves a gap, never a number that comes twice.
                _remember(folder, number)
                if _renamed(incoming, folder / str(number)):
                    sync(folder)
                    return self.get(model, number)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    @contextmanager
    def _locked(self, folder: Path) -> Iterator[None]:
        """Hold the publishers' lock; the kernel frees it when its holder dies."""
        deadline = time.monotonic() + self._lock_timeout
        with (folder / _LOCK).open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise StoreError(
                            f"Expected the other publisher in {folder} to finish in {self._lock_timeout:g} s"
                        ) from None
                    time.sleep(0.05)
            yield


@contextmanager
def _as_store_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, shutil.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise StoreError(f"Expected a model store that can be written at {folder}. Received: {reason}") from error


def _next_number(folder: Path) -> int:
    last = folder / _LAST
    text = last.read_text().strip() if last.exists() else "0"
    if text != "0" and not is_number(text):
        raise StoreError(f"Expected a version number in {last}. Received: {text!r}")
    highest = max(int(text), *version_numbers(folder), 0)
    if highest == LARGEST:
        raise StoreError(f"Expected version numbers below {LARGEST} in {folder}, so that one is left. Received: it")
    return highest + 1


def _remember(folder: Path, number: int) -> None:
    """Write the highest number given out, whole or not at all."""
    beside = folder / f"{_INCOMING}last"
    beside.write_text(f"{number}\n")
    sync(beside)
    beside.replace(folder / _LAST)


def _renamed(incoming: Path, target: Path) -> bool:
    """Whether `incoming` took the name `target`; False where the name is taken, by whatever it may be."""
    if os.path.lexists(target):  # a rename would replace an empty folder
        return False
    try:
        incoming.rename(target)
    except (FileExistsError, NotADirectoryError):
        return False
    except OSError:
        if target.is_dir():  # ENOTEMPTY: somebody without our lock was faster
            return False
        raise
    return True


def _sweep(folder: Path) -> None:
    """Remove what killed publishers left; the lock is held, so none of it is being written."""
    for leftover in folder.glob(f"{_INCOMING}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)  # a link or file may vanish as we look


def _digests(folder: Path) -> dict[str, str]:
    """sha256 by relative path of every file but release.json; ArtifactError where there is a link."""
    return {name: file_digest(folder / name) for name in files_below(folder) if name != RELEASE}


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
