import errno
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cfu_core.dataset.survey.survey_store import Parts, list_column, read_table, stored_thumbnail
from cfu_core.errors import StorageError


def digest(letter: str) -> str:
    return letter * 64


def part(letters: str, value: float = 0.0, *, unreadable: str = "") -> tuple[pa.Table, bytes]:
    """A part with one image a letter, whose thumbnail is the letter as often as its place; the first has none."""
    packs = [letter.encode() * place for place, letter in enumerate(letters)]
    lengths = np.array([len(pack) for pack in packs])
    vectors = [None if letter in unreadable else np.array([ord(letter), value], np.float32) for letter in letters]
    columns = {
        "digest": [digest(letter) for letter in letters],
        "unreadable": ["damaged" if letter in unreadable else "" for letter in letters],
        "thumbnail_offset": np.cumsum(lengths) - lengths,
        "thumbnail_bytes": lengths,
        "features": list_column(vectors),
    }
    return pa.table(columns), b"".join(packs)


@pytest.fixture
def parts(tmp_path) -> Parts:
    found = Parts(tmp_path / "v1")
    found.write(*part("abc"))
    found.write(*part("de"))
    return found


def letters(parts: Parts) -> str:
    return "".join(text[0] for text in parts.read(["digest"])["digest"].to_pylist())


def test_parts_are_numbered_and_read_in_order(parts):
    assert [file.name for file in parts.files()] == ["part-00001.parquet", "part-00002.parquet"]
    assert letters(parts) == "abcde"
    assert parts.read(["unreadable"]).column_names == ["unreadable"]


def test_a_store_without_parts_is_empty(tmp_path):
    empty = Parts(tmp_path / "nowhere")
    assert empty.files() == []
    assert empty.read(["digest"]) is None
    assert stored_thumbnail(empty, digest("a")) is None
    has, found = empty.gather("features", [digest("a")])
    assert has.tolist() == [False]
    assert len(found) == 0


def test_vectors_are_in_the_order_of_the_digests(parts):
    has, found = parts.gather("features", [digest(letter) for letter in "exa"])
    assert has.tolist() == [True, False, True]
    assert found.tolist() == [[ord("e"), 0], [ord("a"), 0]]
    assert found.dtype == np.float32


def test_of_two_rows_the_later_counts_and_an_unreadable_image_has_no_vector(parts):
    parts.write(*part("bf", 5.0, unreadable="f"))
    has, found = parts.gather("features", [digest(letter) for letter in "bfa"])
    assert has.tolist() == [True, False, True]
    assert found.tolist() == [[ord("b"), 5], [ord("a"), 0]]


def test_thumbnails_are_read_from_their_place_in_the_pack(parts):
    found = {letter: stored_thumbnail(parts, digest(letter)) for letter in "abcdex"}
    assert found == {"a": b"", "b": b"b", "c": b"cc", "d": b"", "e": b"e", "x": None}
    parts.write(*part("fg"))
    assert stored_thumbnail(parts, digest("g")) == b"g"


def test_the_thumbnail_of_a_recreated_dataset_is_the_new_one(tmp_path):
    # the same folder, deleted and made anew: nothing may be remembered of the old one
    folder = tmp_path / "v1"
    Parts(folder).write(*part("ab"))
    assert stored_thumbnail(Parts(folder), digest("b")) == b"b"
    for file in folder.iterdir():
        file.unlink()
    Parts(folder).write(*part("xyb"))
    assert stored_thumbnail(Parts(folder), digest("b")) == b"bb"


def test_a_damaged_part_is_ignored(parts):
    parts.files()[0].write_bytes(b"PAR1 and then nothing")
    assert letters(parts) == "de"
    assert stored_thumbnail(parts, digest("b")) is None
    assert parts.gather("features", [digest("a"), digest("d")])[0].tolist() == [False, True]
    parts.write(*part("a"))
    assert [file.name for file in parts.files()][-1] == "part-00003.parquet"


def test_a_part_with_damaged_data_and_an_intact_footer_is_ignored(parts):
    file = parts.files()[0]
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * 60 + content[64:])
    assert read_table(file) is None
    assert letters(parts) == "de"


def test_a_pack_without_its_table_is_overwritten(parts):
    (parts.folder / "part-00003.bin").write_bytes(b"cut short")
    parts.write(*part("fg"))
    assert stored_thumbnail(parts, digest("g")) == b"g"
    assert letters(parts) == "abcdefg"


def test_results_of_another_survey_are_copied_with_thumbnails(parts, tmp_path):
    other = Parts(tmp_path / "other")
    other.write(*part("xyz", 1.0))
    other.write(*part("pq", unreadable="q"))
    assert parts.copy_from(other, {digest(letter) for letter in "zpq"}) == {digest("z"), digest("p")}
    assert letters(parts) == "abcdezp"
    assert stored_thumbnail(parts, digest("z")) == b"zz"
    assert parts.gather("features", [digest("z")])[1].tolist() == [[ord("z"), 1]]
    assert parts.copy_from(other, {digest("q")}) == set()
    assert len(parts.files()) == 4


def test_a_part_of_another_survey_without_its_thumbnails_is_not_copied(parts, tmp_path):
    other = Parts(tmp_path / "other")
    other.write(*part("xy"))
    other.write(*part("yz"))
    other.files()[0].with_suffix(".bin").unlink()
    assert parts.copy_from(other, {digest(letter) for letter in "xyz"}) == {digest("y"), digest("z")}
    assert letters(parts) == "abcdeyz"


def test_thumbnails_of_another_survey_without_permission_are_an_error_in_words(parts, tmp_path, monkeypatch):
    other = Parts(tmp_path / "other")
    other.write(*part("xy"))

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match="No permission for"):
        parts.copy_from(other, {digest("x")})


def test_a_column_without_any_vector(tmp_path):
    parts = Parts(tmp_path)
    parts.write(*part("ab", unreadable="ab"))
    has, found = parts.gather("features", [digest("a")])
    assert not has.any()
    assert len(found) == 0
    assert read_table(parts.files()[0])["features"].null_count == 2
