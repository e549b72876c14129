"""Life of versions, with things that only pretend to be models."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from nids.errors import InputError, NotFoundError
from serving.status import Code
from serving.versions import ModelVersions, State, find_versions, latest


class Fake:
    def __init__(self, events, path):
        self.events, self.name = events, path.name
        events.append(f"load {self.name}")
        text = (path / "saved_model.pb").read_text()
        if text == "corrupt":
            raise InputError("not a model\nat all")

    def close(self):
        self.events.append(f"close {self.name}")


@pytest.fixture
def base(tmp_path):
    return tmp_path / "nids"


def _write(base, version, text="good"):
    (base / str(version)).mkdir(parents=True, exist_ok=True)
    (base / str(version) / "saved_model.pb").write_text(text)


def _run(base, story, policy=None):
    """Run an async story of (model, events)."""
    events = []

    async def main():
        with ThreadPoolExecutor(1) as threads:
            model = ModelVersions("nids", base, lambda path: Fake(events, path), threads, policy)
            await story(model, events)

    asyncio.run(main())
    return events


async def _until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def _states(model):
    return {status.version: status.state for status in model.statuses()}


def test_only_numbered_folders_with_a_saved_model_are_versions(base):
    for name in ("0", "1", str(2**63 - 1), "x", "-3", "1.5", "٣", ".2"):
        _write(base, name)
    (base / "9").mkdir()
    (base / "10").write_text("a file")

    assert set(find_versions(base)) == {0, 1, 2**63 - 1}


@pytest.mark.parametrize("name", ["01", "00", "00000123", str(2**63), "20261123061400123456", "9" * 200])
def test_a_number_that_no_message_can_carry_or_that_is_written_another_way_is_no_version(base, name):
    _write(base, 7)
    _write(base, name)

    assert find_versions(base) == {7: base / "7"}


def test_a_missing_folder_is_not_an_empty_one(base):
    assert find_versions(base) is None
    base.mkdir()
    assert find_versions(base) == {}


def test_the_latest_version_is_loaded_and_leased(base):
    _write(base, 2)
    _write(base, 10)

    async def story(model, events):
        await model.poll()
        assert model.acquire().version == 10
        assert model.acquire(10).version == 10
        assert _states(model) == {10: State.AVAILABLE}

    assert _run(base, story) == ["load 10"]


def test_a_new_version_is_loaded_before_the_old_one_is_closed(base):
    _write(base, 1)

    async def story(model, events):
        await model.poll()
        _write(base, 2)
        await model.poll()
        await model.close()
        assert _states(model) == {2: State.END, 1: State.END}

    assert _run(base, story) == ["load 1", "load 2", "close 1", "close 2"]


def test_a_request_in_flight_keeps_its_version_open(base):
    _write(base, 1)

    async def story(model, events):
        await model.poll()
        lease = model.acquire()
        _write(base, 2)
        await model.poll()
        await asyncio.sleep(0.05)
        assert _states(model) == {2: State.AVAILABLE, 1: State.UNLOADING}
        assert "close 1" not in events
        assert model.acquire().version == 2
        lease.release()
        await _until(lambda: _states(model)[1] is State.END)
        assert "close 1" in events

    _run(base, story)


def test_a_version_that_cannot_be_loaded_ends_with_its_error_and_the_older_stays(base):
    _write(base, 1)

    async def story(model, events):
        await model.poll()
        _write(base, 2, "corrupt")
        await model.poll()
        await model.poll()
        (status,) = model.statuses(2)
        assert (status.state, status.code) == (State.END, Code.INVALID_ARGUMENT)
        assert status.message.startswith("not a model")
        assert model.acquire().version == 1

    assert _run(base, story) == ["load 1", "load 2"]


def test_a_version_that_cannot_be_closed_ends_all_the_same(base, monkeypatch):
    _write(base, 1)

    def refuse(self):
        raise RuntimeError("busy")

    monkeypatch.setattr(Fake, "close", refuse)

    async def story(model, events):
        await model.poll()
        await model.close()
        (status,) = model.statuses()
        assert (status.state, status.message) == (State.END, "busy")

    _run(base, story)


def test_a_failed_version_is_tried_again_once_its_files_change(base):
    _write(base, 1, "corrupt")

    async def story(model, events):
        await model.poll()
        _write(base, 1, "good, once the copy was done")
        await model.poll()
        assert model.acquire().version == 1

    assert _run(base, story) == ["load 1", "load 1"]


def test_taking_the_newest_version_away_brings_the_older_one_back(base):
    _write(base, 1)
    _write(base, 2)

    async def story(model, events):
        await model.poll()
        (base / "2" / "saved_model.pb").unlink()
        await model.poll()
        assert model.acquire().version == 1
        await _until(lambda: "close 2" in events)

    assert _run(base, story) == ["load 2", "load 1", "close 2"]


def test_a_folder_that_is_away_takes_nothing_down(base, tmp_path):
    _write(base, 1)

    async def story(model, events):
        await model.poll()
        base.rename(tmp_path / "away")
        await model.poll()
        assert model.acquire().version == 1

    _run(base, story)


def test_a_version_that_is_not_there_is_not_found_in_tensorflow_servings_words(base):
    base.mkdir()

    async def story(model, events):
        await model.poll()
        for version, words in ((None, r"Latest\(nids\)"), (3, r"Specific\(nids, 3\)")):
            with pytest.raises(NotFoundError, match=rf"^Servable not found for request: {words}$"):
                model.acquire(version)
        with pytest.raises(NotFoundError, match=r"^Could not find any versions of model nids$"):
            model.statuses()
        with pytest.raises(NotFoundError, match=r"^Could not find version 3 of model nids$"):
            model.statuses(3)

    _run(base, story)


def test_waiting_for_a_first_version_is_said_once(base, caplog):
    async def story(model, events):
        await model.poll()
        await model.poll()

    _run(base, story)

    assert [record.message for record in caplog.records] == [
        f"Waiting for {base}/<version>/saved_model.pb: there is no such folder."
    ]


def test_a_policy_may_keep_several_versions(base):
    for version in (1, 2, 3):
        _write(base, version)

    async def story(model, events):
        await model.poll()
        assert _states(model) == {3: State.AVAILABLE, 2: State.AVAILABLE}
        assert model.acquire(2).version == 2

    _run(base, story, latest(2))


def test_closing_waits_for_requests_only_as_long_as_told(base):
    _write(base, 1)

    async def story(model, events):
        await model.poll()
        lease = model.acquire()
        await model.close(grace=0.05)
        assert events == ["load 1", "close 1"]
        assert _states(model) == {1: State.END}
        lease.release()

    _run(base, story)
