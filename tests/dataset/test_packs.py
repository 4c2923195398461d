import hashlib
import os
from pathlib import Path

import pytest

from cfu_core.dataset.packs import Pack, PackWriter, find_packed, packs, read_packed, remove_packs


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "packs")


def write(folder: str, *contents: bytes) -> None:
    pack = PackWriter(folder)
    for content in contents:
        pack.add(sha(content), content)
    pack.finish()


def test_every_image_is_found_again(folder):
    first = [b"%d" % number * number for number in range(1, 200)]
    write(folder, *first)
    write(folder, b"x", b"yy")
    for content in [*first, b"x", b"yy"]:
        assert read_packed(folder, sha(content)) == content
    assert read_packed(folder, sha(b"none")) is None
    assert sorted(digest for pack in packs(folder) for digest in pack.digests()) == sorted(
        sha(content) for content in [*first, b"x", b"yy"]
    )


def test_an_image_is_written_once(folder, tmp_path: Path):
    pack = PackWriter(folder)
    for content in (b"aaa", b"bb", b"aaa"):
        pack.add(sha(content), content)
        pack.flush()
    pack.finish()
    (data,) = tmp_path.rglob("*.data")
    assert data.read_bytes() == b"aaabb"


def test_a_pack_is_readable_after_it_is_finished(folder):
    pack = PackWriter(folder)
    pack.add(sha(b"a"), b"a")
    pack.flush()
    assert list(packs(folder)) == []
    pack.finish()
    assert find_packed(folder, sha(b"a")) is not None


def test_no_images_make_no_pack(folder, tmp_path: Path):
    PackWriter(folder).finish()
    assert list(tmp_path.iterdir()) == []
    assert list(packs(folder)) == []
    assert read_packed(folder, sha(b"a")) is None


@pytest.mark.parametrize("left", [0, 1, 3, 4])
def test_images_beyond_the_end_of_a_truncated_pack_are_missing(folder, tmp_path: Path, left):
    write(folder, b"aa", b"bbb")
    (data,) = tmp_path.rglob("*.data")
    os.truncate(data, left)
    found = {content for content in (b"aa", b"bbb") if read_packed(folder, sha(content)) is not None}
    assert found == ({b"aa"} if left >= 2 else set())


@pytest.mark.parametrize("left", [0, 10, 50])
def test_a_truncated_index_holds_only_complete_records(folder, tmp_path: Path, left):
    write(folder, b"aa", b"bbb")
    (index,) = tmp_path.rglob("*.index")
    os.truncate(index, left)
    digests = list(Pack(str(index.with_suffix(""))).digests())
    assert digests == sorted([sha(b"aa"), sha(b"bbb")])[: 1 if left == 50 else 0]


def test_only_unused_packs_are_removed(folder, tmp_path: Path):
    write(folder, b"a", b"b")
    write(folder, b"c")
    remove_packs(folder, used={sha(b"b")})
    assert read_packed(folder, sha(b"a")) == b"a"
    assert read_packed(folder, sha(b"c")) is None
    remove_packs(folder, used=set())
    assert list(Path(folder).iterdir()) == []
    remove_packs(str(tmp_path / "none"), used=set())
