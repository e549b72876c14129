from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest

from nids import model_store
from nids.errors import ArtifactError, InputError, NotFoundError, StoreError
from nids.files import read_json
from nids.model_store import ModelStore

# A forked child of a test process would inherit TensorFlow's threads.
PROCESSES = multiprocessing.get_context("spawn")


@pytest.fixture
def source(tmp_path):
    return saved_model(tmp_path / "source")


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "store")


def saved_model(folder: Path, content: bytes = b"graph") -> Path:
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(content)
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return folder


def visible(store: ModelStore, model: str = "nids") -> list[str]:
    return sorted(p.name for p in (store.root / model).iterdir() if not p.name.startswith("."))


def hidden(store: ModelStore) -> list[str]:
    return sorted(p.name for p in (store.root / "nids").iterdir() if p.name.startswith("."))


def test_a_published_version_is_where_a_server_looks_and_says_what_it_is(store, source):
    version, created = store.publish("nids", source, "digest", {"decision": {"approved": True}})
    assert created
    assert version.path == store.root / "nids" / "1"
    assert (version.path / "saved_model.pb").read_bytes() == b"graph"
    assert (version.path / "variables" / "variables.index").read_bytes() == b"weights"
    release = read_json(version.path / "release.json")
    assert release == version.release
    assert (release["model"], release["version"], release["model_digest"]) == ("nids", 1, "digest")
    assert release["decision"] == {"approved": True}
    assert sorted(release["files"]) == ["saved_model.pb", "variables/variables.index"]


def test_numbers_increase_and_the_latest_is_the_highest(store, source):
    for digest in "abcdefghijk":
        store.publish("nids", source, digest)
    assert store.versions("nids") == list(range(1, 12))
    assert store.latest("nids").number == 11
    assert store.get("nids", 3).model_digest == "c"


def test_models_are_numbered_apart(store, source):
    store.publish("nids", source, "a")
    assert store.publish("nids-2.shadow", source, "a")[0].number == 1


def test_the_model_that_is_served_is_not_published_again(store, source):
    first, _ = store.publish("nids", source, "same")
    assert store.publish("nids", source, "same") == (first, False)
    assert store.versions("nids") == [1]


def test_a_model_held_as_an_older_version_is_published_again_to_be_the_one_that_is_served(store, source):
    for digest in ("same", "other"):
        store.publish("nids", source, digest)
    again, created = store.publish("nids", source, "same")
    assert (again.number, created) == (3, True)
    assert store.latest("nids") == store.find("nids", "same") == again


@pytest.mark.parametrize("name", ["saved_model.pb", "release.json"])
def test_a_damaged_version_is_published_again(store, source, name):
    store.publish("nids", source, "a")
    (store.root / "nids" / "1" / name).write_bytes(b"damaged")
    again, created = store.publish("nids", source, "a")
    assert (again.number, created) == (2, True)
    assert store.verify("nids", 2) == again
    assert store.publish("nids", source, "a") == (again, False)


def test_why_a_held_version_is_not_what_is_served_is_said(store, source):
    version, _ = store.publish("nids", source, "a")
    assert store.flaw(version) is None
    store.publish("nids", source, "b")
    assert store.flaw(version) == "version 2 is served instead"
    (version.path / "saved_model.pb").write_bytes(b"damaged")
    assert "saved_model.pb" in store.flaw(version)


def test_a_model_is_found_by_its_digest_and_by_no_other(store, source):
    store.publish("nids", source, "a")
    assert store.find("nids", "a").number == 1
    assert store.find("nids", "b") is None
    assert store.find("never-published", "a") is None


LARGEST = 2**63 - 1


def test_only_the_canonical_numbers_of_a_server_are_versions(store, source):
    store.publish("nids", source, "a")
    other = ["0", "00", "01", "+2", "-2", " 2", "2\n", "2.0", "1_0", "\u0663", str(LARGEST + 1), "9" * 200]
    for name in [*other, "7"]:
        (store.root / "nids" / name).mkdir()
    assert store.versions("nids") == [1, 7]
    (store.root / "nids" / str(LARGEST)).mkdir()
    assert store.versions("nids") == [1, 7, LARGEST]


def test_after_the_largest_number_nothing_can_be_published(store, source):
    (store.root / "nids" / str(LARGEST)).mkdir(parents=True)
    with pytest.raises(StoreError, match=f"below {LARGEST}"):
        store.publish("nids", source, "a")
    assert visible(store) == [str(LARGEST)]


def test_a_number_is_not_reused_after_its_version_was_deleted(store, source):
    for digest in "ab":
        store.publish("nids", source, digest)
    shutil.rmtree(store.root / "nids" / "2")
    assert store.publish("nids", source, "c")[0].number == 3


@pytest.mark.parametrize("make", [lambda p: p.mkdir(parents=True), lambda p: p.write_text("")], ids=["folder", "file"])
def test_a_taken_number_is_never_overwritten(store, source, make):
    store.publish("nids", source, "a")
    make(store.root / "nids" / "2")
    assert store.publish("nids", source, "b")[0].number == 3


@pytest.mark.parametrize("kind", ["full folder", "empty folder", "file"])
def test_a_number_taken_between_choice_and_rename_is_left_alone(store, source, monkeypatch, kind):
    """As by a publisher on a file system whose locks do not reach us."""
    store.publish("nids", source, "a")
    taken = store.root / "nids" / "2"
    choose = model_store._next_number

    def choose_and_lose(folder):
        number = choose(folder)
        if number == 2 and kind == "file":
            taken.write_text("theirs")
        elif number == 2:
            taken.mkdir()
            if kind == "full folder":
                (taken / "theirs").write_text("theirs")
        return number

    monkeypatch.setattr(model_store, "_next_number", choose_and_lose)
    assert store.publish("nids", source, "b")[0].number == 3
    assert taken.is_file() or [p.name for p in taken.iterdir()] == (["theirs"] if kind == "full folder" else [])


def publish_many(root: str, source: str, name: str, count: int) -> None:
    store = ModelStore(root)
    for index in range(count):
        store.publish("nids", source, f"{name}-{index}", {"publisher": name})


def test_two_publishers_at_once_get_different_numbers_and_lose_nothing(store, source):
    count = 15
    arguments = (str(store.root), str(source))
    publishers = [PROCESSES.Process(target=publish_many, args=(*arguments, name, count)) for name in "xy"]
    for process in publishers:
        process.start()
    for process in publishers:
        process.join(60)
    assert [process.exitcode for process in publishers] == [0, 0]
    assert store.versions("nids") == list(range(1, 2 * count + 1))
    digests = {store.verify("nids", number).model_digest for number in store.versions("nids")}
    assert digests == {f"{name}-{index}" for name in "xy" for index in range(count)}


def publish_the_same(root: str, source: str) -> None:
    ModelStore(root).publish("nids", source, "same")


def test_publishers_of_one_model_at_once_make_one_version(store, source):
    arguments = (str(store.root), str(source))
    publishers = [PROCESSES.Process(target=publish_the_same, args=arguments) for _ in range(4)]
    for process in publishers:
        process.start()
    for process in publishers:
        process.join(60)
    assert [process.exitcode for process in publishers] == [0] * 4
    assert store.versions("nids") == [1]


def publish_and_die(root: str, source: str, operation: str) -> None:
    """Die by SIGKILL, with no chance to clean up, when `operation` is reached."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    owner, _, name = operation.rpartition(".")
    setattr({"": model_store, "Path": Path}[owner], name, die)
    ModelStore(root).publish("nids", source, "killed")


@pytest.mark.parametrize(
    "operation",
    ["_digests", "_next_number", "write_json", "_sync_tree", "sync", "_remember", "Path.replace", "_renamed"],
)
def test_a_killed_publisher_leaves_nothing_visible_and_the_next_one_sweeps(store, source, operation):
    store.publish("nids", source, "before")
    process = PROCESSES.Process(target=publish_and_die, args=(str(store.root), str(source), operation))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert any(name.startswith(".incoming-") for name in hidden(store))
    assert visible(store) == ["1"]
    version, _ = store.publish("nids", source, "after")
    assert hidden(store) == [".last", ".lock"]
    assert store.versions("nids") == [1, version.number]
    assert version.number == (3 if operation == "_renamed" else 2)


def test_a_failing_copy_leaves_no_trace_of_the_version(store, source, monkeypatch):
    store.publish("nids", source, "a")

    def full_disk(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_store, "_sync_tree", full_disk)
    with pytest.raises(StoreError, match=r"store/nids\. Received: No space left on device"):
        store.publish("nids", source, "b")
    assert visible(store) == ["1"]
    assert hidden(store) == [".last", ".lock"]


def test_waiting_for_another_publisher_has_a_deadline(store, source):
    store.publish("nids", source, "a")
    impatient = ModelStore(store.root, lock_timeout=0.1)
    with store._locked(store.root / "nids"), pytest.raises(StoreError, match=r"other publisher in .*store/nids"):
        impatient.publish("nids", source, "b")
    assert impatient.publish("nids", source, "b")[0].number == 2


def test_a_file_where_the_store_belongs_is_named_before_any_work(tmp_path, source):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        store = ModelStore(root)
        for attempt in (lambda s=store: s.check_writable("nids"), lambda s=store: s.publish("nids", source, "a")):
            with pytest.raises(StoreError, match=f"can be written at {root / 'nids'}"):
                attempt()


def test_checking_a_store_leaves_no_trace(tmp_path, source):
    fresh = ModelStore(tmp_path / "new" / "store")
    fresh.check_writable("nids")
    assert not (tmp_path / "new").exists()
    fresh.publish("nids", source, "a")
    before = sorted(fresh.root.rglob("*"))
    fresh.check_writable("nids")
    assert sorted(fresh.root.rglob("*")) == before


def test_another_publishers_sweep_leaves_the_probe_of_a_check_alone(store, source, monkeypatch):
    store.publish("nids", source, "a")
    make = Path.mkdir

    def make_and_sweep(path, *given, **options):
        make(path, *given, **options)
        model_store._sweep(store.root / "nids")

    monkeypatch.setattr(Path, "mkdir", make_and_sweep)
    store.check_writable("nids")
    assert hidden(store) == [".last", ".lock"]


def test_a_leftover_that_vanishes_while_it_is_swept_is_no_error(store, source, monkeypatch):
    store.publish("nids", source, "a")
    gone = store.root / "nids" / ".incoming-gone"
    monkeypatch.setattr(Path, "glob", lambda *_: iter([gone]))
    assert store.publish("nids", source, "b")[0].number == 2


def test_a_store_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"can be read at .*file/nids"):
        ModelStore(tmp_path / "file").versions("nids")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../up", "with space", "-flag", "n\n", "x" * 129])
def test_a_model_name_that_is_no_folder_name_is_refused(store, source, name):
    with pytest.raises(InputError, match="model name"):
        store.publish(name, source, "a")
    with pytest.raises(InputError, match="model name"):
        store.versions(name)
    assert not store.root.exists()


@pytest.mark.parametrize("root", ["", "s3://bucket/models"])
def test_a_store_must_be_a_local_folder(root):
    with pytest.raises(InputError, match="local folder"):
        ModelStore(root)


def test_a_folder_without_a_saved_model_is_not_published(store, tmp_path):
    with pytest.raises(InputError, match=r"saved_model\.pb"):
        store.publish("nids", tmp_path, "a")
    assert not store.root.exists()


def test_an_empty_store_has_no_versions_and_says_so(store):
    assert store.versions("nids") == []
    with pytest.raises(NotFoundError, match="version of nids"):
        store.latest("nids")
    with pytest.raises(NotFoundError, match="version 1 of nids"):
        store.get("nids", 1)


def test_an_untouched_version_verifies(store, source):
    published, _ = store.publish("nids", source, "a")
    assert store.verify("nids", 1) == published


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        ("saved_model.pb", lambda path: path.write_bytes(b"grapg")),
        ("variables/variables.index", lambda path: path.unlink()),
        ("assets/added", lambda path: (path.parent.mkdir(), path.write_bytes(b""))),
    ],
    ids=["changed", "missing", "added"],
)
def test_verify_names_the_file_that_is_not_as_released(store, source, name, harm):
    version, _ = store.publish("nids", source, "a")
    harm(version.path / name)
    with pytest.raises(ArtifactError, match=rf"\['{name}'\]"):
        store.verify("nids", 1)


def test_verify_names_the_file_that_cannot_be_read(store, source, monkeypatch):
    version, _ = store.publish("nids", source, "a")

    def unreadable(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(model_store, "file_digest", unreadable)
    with pytest.raises(ArtifactError, match=rf"Permission denied: '{version.path}/saved_model\.pb'"):
        store.verify("nids", 1)


def test_verify_refuses_a_version_under_another_number(store, source):
    version, _ = store.publish("nids", source, "a")
    version.path.rename(store.root / "nids" / "7")
    with pytest.raises(ArtifactError, match="speak of version 7"):
        store.verify("nids", 7)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"model_digest": "a", "files": []}'])
def test_a_damaged_release_record_is_named(store, source, text):
    version, _ = store.publish("nids", source, "a")
    (version.path / "release.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"nids/1/release\.json"):
        store.get("nids", 1)
    with pytest.raises(ArtifactError, match=r"nids/1/release\.json"):
        store.verify("nids", 1)
    assert store.find("nids", "a") is None
    assert store.publish("nids", source, "a")[0].number == 2


@pytest.mark.parametrize("text", ["many", "", "\u0663", "9" * 5000])
def test_a_damaged_number_file_stops_publishing_by_name(store, source, text):
    store.publish("nids", source, "a")
    (store.root / "nids" / ".last").write_text(text)
    with pytest.raises(StoreError, match=rf"\.last.*'{text}'"):
        store.publish("nids", source, "b")
    assert visible(store) == ["1"]


def test_a_link_is_neither_published_nor_verified(store, source, tmp_path):
    version, _ = store.publish("nids", source, "a")
    for folder in (source, version.path):
        (folder / "variables").rename(tmp_path / f"{folder.name}-elsewhere")
        (folder / "variables").symlink_to(tmp_path / f"{folder.name}-elsewhere")
    with pytest.raises(ArtifactError, match="link"):
        store.verify("nids", 1)
    with pytest.raises(ArtifactError, match="link"):
        store.publish("nids", source, "b")
    assert visible(store) == ["1"]
    assert not [name for name in hidden(store) if name.startswith(".incoming-")]
