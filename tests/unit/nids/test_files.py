import json

import pytest

from nids.errors import ArtifactError
from nids.files import file_digest, new_file, new_folder, read_json, tree_digest, write_json


def names(path):
    return sorted(p.name for p in path.iterdir())


def test_a_new_folder_takes_its_name_only_when_it_is_whole(tmp_path):
    with new_folder(tmp_path / "deep" / "out") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "deep" / "out").exists()
    assert (tmp_path / "deep" / "out" / "a").read_text() == "1"
    assert names(tmp_path / "deep") == ["out"]


def test_a_failing_block_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("1")
        raise RuntimeError
    assert names(tmp_path) == []


def test_a_failing_block_leaves_the_old_folder_as_it_was(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("1")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out"):
        raise RuntimeError
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old"]


def test_a_new_folder_replaces_a_folder_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("1")
    with new_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("2")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["new"]


def test_a_new_folder_replaces_a_file(tmp_path):
    (tmp_path / "out").write_text("a file")
    with new_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("2")
    assert names(tmp_path / "out") == ["new"]


def test_a_new_folder_replaces_a_link_and_spares_what_it_points_to(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_text("1")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with new_folder(tmp_path / "out") as folder:
        (folder / "new").write_text("2")
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path / "elsewhere") == ["precious"]


def test_a_failing_block_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    (tmp_path / "f").write_text("old")
    with pytest.raises(RuntimeError), new_file(tmp_path / "f") as beside:
        beside.write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_json_comes_back(tmp_path):
    value = {"b": [1, 2.5, None, "x"], "a": {"c": True}}
    write_json(tmp_path / "deep" / "v.json", value)
    assert read_json(tmp_path / "deep" / "v.json") == value


def test_equal_values_make_equal_bytes(tmp_path):
    write_json(tmp_path / "1", {"a": 1, "b": 2})
    write_json(tmp_path / "2", {"b": 2, "a": 1})
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_what_is_not_finite_becomes_null_at_any_depth(tmp_path):
    nan, inf = float("nan"), float("inf")
    write_json(tmp_path / "v", {"a": nan, "b": [inf, (-inf, 1.0)]})
    assert json.loads((tmp_path / "v").read_text()) == {"a": None, "b": [None, [None, 1.0]]}


def test_a_value_json_cannot_hold_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "v", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "v", {"a": object()})
    assert read_json(tmp_path / "v") == 1
    assert names(tmp_path) == ["v"]


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe"])
def test_missing_or_damaged_json_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "v.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"v\.json"):
        read_json(tmp_path / "v.json")


def test_a_file_digest_is_the_sha256_of_its_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert file_digest(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def fill(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return tree_digest(folder)


def test_equal_trees_have_equal_digests_wherever_they_lie(tmp_path):
    files = {"a": "1", "b/c": "2"}
    assert fill(tmp_path / "x", files) == fill(tmp_path / "y", dict(reversed(files.items())))


@pytest.mark.parametrize("other", [{"a": "1", "b/c": "3"}, {"a": "1", "b/d": "2"}, {"a": "1"}, {"a": "1", "b_c": "2"}])
def test_a_changed_byte_or_name_changes_the_digest(tmp_path, other):
    assert fill(tmp_path / "x", {"a": "1", "b/c": "2"}) != fill(tmp_path / "y", other)


@pytest.mark.parametrize("make", [lambda _: None, lambda p: p.mkdir(), lambda p: p.write_text("a file")])
def test_a_tree_without_files_has_no_digest(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(ArtifactError, match="Expected a folder with files"):
        tree_digest(tmp_path / "x")


@pytest.mark.parametrize("target", ["folder", "file", "nothing", "below/itself"])
def test_a_link_has_no_digest_for_what_it_points_to_may_change(tmp_path, target):
    fill(tmp_path / "tree" / "below", {"a": "1"})
    fill(tmp_path / "folder", {"b": "2"})
    (tmp_path / "file").write_bytes(b"3")
    (tmp_path / "tree" / "below" / "link").symlink_to(tmp_path / target)
    with pytest.raises(ArtifactError, match=rf"link.*Received: {tmp_path}/tree/below/link"):
        tree_digest(tmp_path / "tree")


def test_a_tree_may_itself_be_reached_through_a_link(tmp_path):
    fill(tmp_path / "tree", {"a": "1"})
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    assert tree_digest(tmp_path / "link") == tree_digest(tmp_path / "tree")
