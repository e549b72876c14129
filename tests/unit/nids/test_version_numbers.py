import pytest

from nids.errors import StoreError
from nids.version_numbers import LARGEST, is_number, version_numbers


@pytest.mark.parametrize("name", ["1", "9", "10", "20261123061400", str(LARGEST)])
def test_a_number_as_a_server_writes_it_is_a_version(name):
    assert is_number(name)


@pytest.mark.parametrize(
    "name", ["", "0", "01", "+1", "-1", "1 ", "1\n", "1.0", "1_0", "\u0663", str(LARGEST + 1), "9" * 5000]
)
def test_no_other_name_is_a_version(name):
    assert not is_number(name)


def test_only_folders_are_versions_in_the_order_of_their_numbers(tmp_path):
    for name in ("10", "9", "old", ".incoming-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "11").write_text("")
    assert version_numbers(tmp_path) == [9, 10]


def test_a_model_without_a_folder_has_no_versions_and_a_file_in_its_place_is_named(tmp_path):
    assert version_numbers(tmp_path / "never") == []
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"can be read at .*/file"):
        version_numbers(tmp_path / "file")
