from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sample_models import random_flows, write_model

from components.model_push import push as room
from components.model_push.push import WARMUP_BATCHES, check_approved, compare, push, spread
from nids.artifacts import Decision, ModelFiles, load_split, load_transform, save_transform
from nids.datasets import get_schema
from nids.errors import ArtifactError, InputError, NotApprovedError, StoreError
from nids.model_store import ModelStore
from nids.savedmodel import SavedModelScorer
from nids.transform import NumberScale, Transform
from serving.warmup import WARMUP_FILE, read_warmup

RULES = [{"metric": "macro_f1", "comparison": ">=", "bound": 0.5, "value": 0.8, "passed": True, "reason": ""}]
SPLIT = "5" * 64


@pytest.fixture
def files(trained, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(trained.root, tmp_path / "model")
    return ModelFiles(tmp_path / "model")


@pytest.fixture(scope="module")
def held_out(trained):
    return load_split(trained.test)


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "store")


def approval(files, **changes):
    return replace(Decision(True, files.digest(), SPLIT, RULES), **changes)


def run(files, test, store, decision=None, parity_rows=64, log=lambda _: None):
    return push(files, decision or approval(files), test, SPLIT, store, "nids", parity_rows, log)


def test_an_approved_model_becomes_a_version_that_loads_and_answers(files, held_out, store):
    said = []
    pushed = run(files, held_out, store, log=said.append)
    assert (pushed.model, pushed.version, pushed.created) == ("nids", 1, True)
    assert pushed.model_digest == files.digest()
    scorer = SavedModelScorer(pushed.path)
    expected = SavedModelScorer(files.saved_model).probabilities(held_out.flows)
    np.testing.assert_array_equal(scorer.probabilities(held_out.flows), expected)
    assert "agree on 64 test flows" in said[0]
    assert said[-1] == f"Published nids version 1 in {pushed.path}"


def test_the_release_record_holds_the_decision_and_every_file(files, held_out, store):
    run(files, held_out, store)
    release = store.verify("nids", 1).release
    assert release["model_digest"] == files.digest()
    assert release["decision"]["rules"] == RULES
    assert release["info"]["features"] == files.info().features
    assert release["parity"]["rows"] == 64
    assert release["parity"]["largest_difference"] <= release["parity"]["tolerance"]
    assert str(WARMUP_FILE) in release["files"]


def test_warm_up_requests_are_real_rows_in_both_sizes_and_are_answered(files, held_out, store):
    pushed = run(files, held_out, store, parity_rows=1000)
    requests = list(read_warmup(store.root / "nids" / "1"))
    assert [len(request["src_bytes"]) for request in requests] == list(WARMUP_BATCHES)
    assert requests[1]["src_bytes"].tolist() == held_out.flows["src_bytes"].to_list()[:256]
    scorer = SavedModelScorer(pushed.path)
    assert [len(scorer.answer(request)["label"]) for request in requests] == list(WARMUP_BATCHES)


def test_the_same_model_again_gives_the_version_there_is(files, held_out, store):
    first = run(files, held_out, store)
    again = run(files, held_out, store)
    assert again == replace(first, created=False)
    assert store.versions("nids") == [1]


def test_a_damaged_version_is_not_taken_for_the_release(files, held_out, store):
    run(files, held_out, store)
    (store.root / "nids" / "1" / "saved_model.pb").write_bytes(b"damaged")
    said = []
    again = run(files, held_out, store, log=said.append)
    assert (again.version, again.created) == (2, True)
    assert said[0].startswith("The store holds this model as nids version 1, but ")
    assert "saved_model.pb" in said[0]
    assert said[0].endswith(": releasing it again")
    assert store.verify("nids", 2).model_digest == files.digest()


def test_an_older_version_of_the_model_is_released_again_so_that_it_is_served(files, held_out, store):
    run(files, held_out, store)
    store.publish("nids", files.saved_model, "another model")
    said = []
    again = run(files, held_out, store, log=said.append)
    assert (again.version, again.created) == (3, True)
    assert "version 2 is served instead" in said[0]
    assert store.find("nids", files.digest()).number == 3


def test_another_model_becomes_the_next_version(files, held_out, store, tmp_path):
    run(files, held_out, store)
    write_model(tmp_path / "other", flows=random_flows(get_schema("nsl-kdd"), 400, seed=0), seed=2)
    other = ModelFiles(tmp_path / "other")
    assert run(other, held_out, store).version == 2
    assert store.get("nids", 1).model_digest == files.digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"approved": False, "rules": [{**RULES[0], "passed": False}]}, "rejected by macro_f1"),
        ({"approved": False, "rules": []}, "rejected by no rules"),
        ({"approved": "false"}, "approved == True. Received: 'false'"),
        ({"approved": 1}, "approved == True. Received: 1"),
        ({"rules": []}, "no rules"),
        ({"rules": [RULES[0], {**RULES[0], "metric": "mcc", "passed": False}]}, "rejected by mcc"),
        ({"rules": [{**RULES[0], "passed": "yes"}]}, "rejected by macro_f1"),
        ({"rules": [{}]}, "rejected by a rule without a name"),
        ({"model_digest": "0" * 64}, "one on model 000000000000"),
        ({"split_digest": "0" * 64}, "scores on test split 555555555555. Received: on 000000000000"),
    ],
    ids=[
        "rejected",
        "rejected without rules",
        "a text",
        "a number",
        "no rules",
        "a failed rule",
        "a rule passed by a text",
        "an empty rule",
        "other model",
        "other test split",
    ],
)
def test_without_approval_of_exactly_this_model_the_store_is_untouched(files, held_out, store, changes, message):
    with pytest.raises(NotApprovedError, match=message):
        run(files, held_out, store, approval(files, **changes))
    assert not store.root.exists()


def test_one_changed_byte_makes_it_another_model(files, held_out, store):
    decision = approval(files)
    info = files.root / "model.json"
    info.write_text(info.read_text().replace('"seed": 1', '"seed": 2'))
    with pytest.raises(NotApprovedError, match=files.digest()[:12]):
        run(files, held_out, store, decision)
    assert not store.root.exists()


@pytest.mark.parametrize("moment", ["digest", "parity"])
def test_what_is_released_is_what_was_approved_whatever_happens_to_the_folder_meanwhile(
    files, held_out, store, monkeypatch, moment
):
    approved = {p.name: p.read_bytes() for p in files.saved_model.iterdir() if p.is_file()}

    def overwrite(*_):
        for name, content in approved.items():
            (files.saved_model / name).write_bytes(content.replace(b"normal", b"NORMAL"))

    def checked(*given):
        overwrite()
        return check_approved(*given)

    log = overwrite if moment == "parity" else lambda _: None
    decision = approval(files)
    if moment == "digest":
        monkeypatch.setattr(room, "check_approved", checked)
    pushed = run(files, held_out, store, decision, log=log)
    assert files.digest() != decision.model_digest == pushed.model_digest
    for name, content in approved.items():
        assert (store.root / "nids" / "1" / name).read_bytes() == content


def test_a_link_in_a_model_folder_is_refused(files, held_out, store):
    decision = approval(files)
    (files.saved_model / "variables").rename(files.root.parent / "elsewhere")
    (files.saved_model / "variables").symlink_to(files.root.parent / "elsewhere")
    with pytest.raises(ArtifactError, match=rf"link.*{files.saved_model}/variables"):
        run(files, held_out, store, decision)
    assert not store.root.exists()


def test_a_model_folder_that_is_not_there_is_named(files, held_out, store):
    decision = approval(files)
    shutil.rmtree(files.root)
    with pytest.raises(ArtifactError, match=str(files.root)):
        run(files, held_out, store, decision)


def test_a_model_already_released_still_needs_its_approval(files, held_out, store):
    run(files, held_out, store)
    with pytest.raises(NotApprovedError):
        run(files, held_out, store, approval(files, approved=False))


def test_a_served_model_that_answers_differently_is_refused_by_row(files, held_out, store, tmp_path):
    write_model(tmp_path / "other", flows=random_flows(get_schema("nsl-kdd"), 400, seed=0), seed=2)
    shutil.rmtree(files.saved_model)
    shutil.copytree(ModelFiles(tmp_path / "other").saved_model, files.saved_model)
    with pytest.raises(ArtifactError, match=r"difference of 0\.\d+ on the flow in row \d+ of KDDTest\+\.txt"):
        run(files, held_out, store)
    assert not store.root.exists()


def test_a_transform_that_differs_between_training_and_serving_is_refused(files, held_out, store):
    """The split was made with another scale than the served graph applies: the skew parity is there to catch."""
    transform = load_transform(files.root)
    scales = {name: NumberScale(s.minimum, s.maximum, not s.log1p) for name, s in transform.numbers.items()}
    skewed = Transform(transform.schema, transform.classes, scales, transform.vocabularies)
    flows = held_out.flows.with_columns(pl.col(name).clip(0) for name in transform.numbers)
    with pytest.raises(ArtifactError, match="as the Keras model"):
        run(files, replace(held_out, X=skewed.apply(flows)), store)
    assert not store.root.exists()


def test_flows_the_served_model_refuses_stop_the_push(files, held_out, store):
    broken = replace(held_out, flows=held_out.flows.with_columns(serror_rate=pl.lit(float("nan"), pl.Float32)))
    with pytest.raises(ArtifactError, match="NaN or infinity in: serror_rate"):
        run(files, broken, store)
    assert not store.root.exists()


def test_a_failing_warm_up_leaves_the_store_untouched(files, held_out, store, monkeypatch):
    def wrong(self, flows):
        request = real(self, flows)
        return request | {"src_bytes": request["src_bytes"][:0]}

    real = SavedModelScorer.request

    def add_wrong_warmup(saved_model, name, flows):
        with monkeypatch.context() as patch:
            patch.setattr(SavedModelScorer, "request", wrong)
            room_add_warmup(saved_model, name, flows)

    room_add_warmup = room.add_warmup
    monkeypatch.setattr(room, "add_warmup", add_wrong_warmup)
    with pytest.raises(ArtifactError, match=r"warm-up requests to be answered.*src_bytes"):
        run(files, held_out, store)
    assert not store.root.exists()


def test_a_store_that_cannot_be_written_is_named_before_any_model_is_loaded(files, held_out, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")

    def never(*_):
        raise AssertionError("loaded a model for a store that cannot be written")

    monkeypatch.setattr(room, "check_parity", never)
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=str(root / "nids")):
            run(files, held_out, ModelStore(root))


def test_a_disk_that_fills_up_leaves_no_version(files, held_out, store, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nids.model_store._sync_tree", full)
    with pytest.raises(StoreError, match="No space left on device"):
        run(files, held_out, store)
    assert store.versions("nids") == []
    assert not [p for p in (store.root / "nids").iterdir() if p.name not in {".lock", ".last"}]


@pytest.mark.parametrize("name", ["model.keras", "saved_model/saved_model.pb"])
def test_a_damaged_model_file_is_named(files, held_out, store, name):
    (files.root / name).write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=str(files.root)):
        run(files, held_out, store)
    assert not store.root.exists()


def test_a_model_of_another_schema_is_refused(files, held_out, store):
    info = replace(files.info(), schema="unsw-nb15")
    with pytest.raises(InputError, match=r"schema 'unsw-nb15'.*Received: 'nsl-kdd'"):
        spread(held_out, info, 10)


@pytest.mark.parametrize(
    ("changes", "count", "message"),
    [({}, 0, "parity_rows >= 1"), ({"flows": None}, 10, "raw flows")],
    ids=["no rows asked for", "no raw flows"],
)
def test_parity_needs_rows(files, held_out, changes, count, message):
    with pytest.raises(InputError, match=message):
        spread(replace(held_out, **changes), files.info(), count)


def test_rows_are_taken_evenly_and_stay_together(files, held_out):
    chosen = spread(held_out, files.info(), 4)
    assert chosen.flows["source_row"].to_list() == [1, 101, 200, 300]
    transform = load_transform(files.root)
    assert transform.apply(chosen.flows).equals(chosen.X)
    np.testing.assert_array_equal(transform.labels(chosen.flows), chosen.y)
    assert spread(held_out, files.info(), 10_000).X.height == 300


def test_a_small_difference_passes_and_a_large_or_undefined_one_names_its_row(held_out):
    flows = held_out.flows[:3]
    trained = np.full((3, 2), 0.5, np.float32)
    assert compare(trained + np.float32(5e-5), trained, flows) == pytest.approx(5e-5, rel=1e-2)
    for value in (0.5002, np.nan):
        served = trained.copy()
        served[1, 0] = value
        with pytest.raises(ArtifactError, match=r"row 2 of KDDTest\+\.txt"):
            compare(served, trained, flows)
    with pytest.raises(ArtifactError, match=r"\(3, 2\) probabilities"):
        compare(trained[:, :1], trained, flows)


def test_an_approval_is_for_one_model_and_one_test_split():
    decision = Decision(True, "abc", "split", RULES)
    check_approved(decision, "abc", "split")
    with pytest.raises(NotApprovedError):
        check_approved(decision, "abd", "split")
    with pytest.raises(NotApprovedError):
        check_approved(decision, "abc", "spli")


def test_a_transform_of_other_features_is_named(files, held_out, store):
    transform = load_transform(files.root)
    numbers = {name: scale for name, scale in transform.numbers.items() if name != "src_bytes"}
    info = (files.root / "model.json").read_text()
    keep = {name: (files.root / name).read_bytes() for name in ("model.keras",)}
    saved = files.root.parent / "saved"
    shutil.copytree(files.saved_model, saved)
    save_transform(files.root, replace(transform, numbers=numbers))
    (files.root / "model.json").write_text(info)
    (files.root / "model.keras").write_bytes(keep["model.keras"])
    shutil.copytree(saved, files.saved_model)
    with pytest.raises(InputError, match="src_bytes"):
        run(files, held_out, store)
    assert not store.root.exists()
