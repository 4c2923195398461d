"""The image store returns the bytes that were imported, or says that they have changed."""

import hashlib

import pytest

from cfu_core.dataset.image_store import image_file, image_store, stored_bytes
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.packs import PACKS, PackWriter
from cfu_core.errors import ImageError


def test_a_stored_file_that_was_replaced_by_one_of_the_same_length_is_refused(small_dataset):
    file, other = small_dataset.image_file(0), small_dataset.image_file(1)
    content = file.read_bytes()
    replaced = other.read_bytes()[: len(content)].ljust(len(content), b"\0")
    assert len(replaced) == len(content)
    assert small_dataset.read_bytes(0) == content
    file.write_bytes(replaced)
    path = small_dataset.images["path"].iat[0]
    for read in (small_dataset.read_bytes, small_dataset.read_image):
        with pytest.raises(ImageError, match=f"{path}: The stored file has been changed since the import") as refused:
            read(0)
        assert str(file) in str(refused.value)


def test_a_file_with_its_digest_is_read(cfu_home):
    content = b"anything"
    digest = hashlib.sha256(content).hexdigest()
    image_file(digest, ".png").parent.mkdir(parents=True)
    image_file(digest, ".png").write_bytes(content)
    assert stored_bytes(digest, ".png") == content
    with pytest.raises(FileNotFoundError):
        stored_bytes("0" * 64, ".png")
    assert cfu_home.exists()


@pytest.mark.parametrize("packing", [False, True])
def test_a_damaged_image_in_a_pack_is_written_anew_by_the_next_import(
    small_dataset, drawn_shapes, monkeypatch, packing
):
    pack = PackWriter(str(image_store() / PACKS))
    contents = [small_dataset.read_bytes(row) for row in range(len(small_dataset.images))]
    for row, content in enumerate(contents):
        pack.add(small_dataset.images["digest"].iat[row], content)
        small_dataset.image_file(row).unlink()
    pack.finish()
    assert [small_dataset.read_bytes(row) for row in range(len(contents))] == contents
    (data,) = image_store().rglob("*.data")
    damaged = bytearray(data.read_bytes())
    damaged[len(contents[0]) // 2] ^= 1
    data.write_bytes(damaged)
    with pytest.raises(ImageError, match="Import the images again") as refused:
        small_dataset.read_bytes(0)
    assert str(data) in str(refused.value)
    if packing:
        monkeypatch.setattr("cfu_core.dataset.importing.source._MIN_IMAGES_FOR_PROCESSES", 1)
        monkeypatch.setattr("os.cpu_count", lambda: 2)
    again = import_source(drawn_shapes, name="again")
    assert [small_dataset.read_bytes(row) for row in range(len(contents))] == contents
    assert [again.read_bytes(row) for row in range(len(contents))] == contents
    assert len(list(image_store().rglob("*.png"))) == 1  # the others are still in the pack
    assert len(list(image_store().rglob("*.data"))) == 1
