import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cfu_core.dataset.importing.source import ImportLimits, import_source, scan_source
from cfu_core.errors import ArchiveError, CfuError

pytestmark = pytest.mark.usefixtures("cfu_home")


def packed(entries: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def named(raw: bytes, *, flags: int = 0) -> bytes:
    """A zip with a good image and an entry of exactly this raw name, which zipfile itself would not write."""
    data = bytearray(packed([("A/1.png", GOOD), ("B/" + "x" * (len(raw) - 2), GOOD)]))
    data = bytearray(bytes(data).replace(b"B/" + b"x" * (len(raw) - 2), raw))
    if flags:
        set_flags(data, flags)
    return bytes(data)


def set_flags(data: bytearray, flags: int) -> None:
    """Set general-purpose flags in the last entry, in both of its headers."""
    last = data.rfind(b"PK\x01\x02")
    (local,) = struct.unpack_from("<I", data, last + 42)
    for place in (last + 8, local + 6):
        struct.pack_into("<H", data, place, struct.unpack_from("<H", data, place)[0] | flags)


def special(kind: int, name: str = "B/link.png") -> bytes:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return packed([("A/1.png", GOOD), (info, b"/etc/passwd")])


def with_file(name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with a good image, and a file that is compressed by `method`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("A/1.png", GOOD)
        archive.writestr(name, content, method)
    return stream.getvalue()


def encrypted(entries: tuple[str, ...] = ("A/1.png", "B/1.png")) -> bytes:
    """The last entry is marked as encrypted."""
    data = bytearray(packed([(name, GOOD) for name in entries]))
    set_flags(data, 1)
    return bytes(data)


def damaged() -> bytes:
    """The content of the first of two entries does not match its checksum."""
    return packed([("B/1.png", GOOD), ("A/1.png", GOOD)], zipfile.ZIP_STORED).replace(b"IDAT", b"IDOT", 1)


def lying(size: int) -> bytes:
    """The last entry promises `size` bytes in both headers."""
    data = bytearray(packed([("A/1.png", GOOD), ("B/1.png", GOOD)]))
    last = data.rfind(b"PK\x01\x02")
    (local,) = struct.unpack_from("<I", data, last + 42)
    struct.pack_into("<I", data, last + 24, size)
    struct.pack_into("<I", data, local + 22, size)
    return bytes(data)


def overlapping() -> bytes:
    """Hundreds of entries that share the packed bytes of one."""
    blank = packed([("A/000.bmp", bytes(1_000_000))])
    start = blank.find(b"PK\x01\x02")
    entry = blank[start : blank.find(b"PK\x05\x06")]
    contents = b"".join(entry.replace(b"A/000.bmp", b"A/%03d.bmp" % number) for number in range(300))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 300, 300, len(contents), start, 0)
    return blank[:start] + contents + end


def tarball() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
    return stream.getvalue()


def image() -> bytes:
    import cv2

    return cv2.imencode(".png", np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))[1].tobytes()


GOOD = image()
HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "traversal": (lambda: named(b"../../../evil.png"), "leads out of its folder"),
    "traversal inside": (lambda: named(b"A/../../evil.png"), "leads out of its folder"),
    "absolute": (lambda: named(b"/tmp/evil.png"), "is an absolute path"),
    "drive": (lambda: named(b"C:/evil.png"), "begins with a drive letter"),
    "drive without slash": (lambda: named(b"c:evil.png"), "begins with a drive letter"),
    "backslash": (lambda: named(rb"B\evil.png"), "contains a backslash"),
    "backslash traversal": (lambda: named(rb"..\..\evil.png"), "contains a backslash"),
    "NUL": (lambda: named(b"B/evil.png\0.txt"), "contains a NUL"),
    "utf-8 that is none": (lambda: named(b"B/\xff\xfe.png", flags=0x800), "not a complete zip"),
    "one bomb": (lambda: packed([("A/1.png", GOOD), ("B/1.png", bytes(120_000_000))]), "like a zip bomb"),
    "overlapping bomb": (overlapping, "like a zip bomb"),
    "text": (lambda: b"this is no zip at all", "not a complete zip"),
    "nothing": (lambda: b"", "not a complete zip"),
    "cut at the end": (lambda: packed([("A/1.png", GOOD), ("B/1.png", GOOD)])[:-30], "not a complete zip"),
    "all encrypted": (lambda: encrypted(entries=("A/1.png",)), "all its images are encrypted"),
}


LEFT_OUT: dict[str, tuple[Callable[[], bytes], str, str, str]] = {
    "symbolic link": (lambda: special(stat.S_IFLNK), "B/link.png", "link", "is a link"),
    "link to a folder": (lambda: special(stat.S_IFLNK, "B"), "B", "link", "is a link"),
    "pipe": (lambda: special(stat.S_IFIFO), "B/link.png", "not-an-image", "is not a regular file"),
    "device": (lambda: special(stat.S_IFCHR), "B/link.png", "not-an-image", "is not a regular file"),
    "one encrypted": (encrypted, "B/1.png", "unreadable", "is encrypted"),
    "zip within": (lambda: with_file("B/more.zip", packed([])), "B/more.zip", "other-file", "is left out"),
    "program": (lambda: with_file("B/run.exe", b"MZ"), "B/run.exe", "other-file", "is left out"),
    "text": (lambda: with_file("README.txt", b"hi"), "README.txt", "other-file", "is left out"),
    "zip as image": (lambda: with_file("B/1.png", packed([])), "B/1.png", "not-an-image", "B/1.png is"),
    "rar as image": (lambda: with_file("B/1.png", b"Rar!\x1a\x07\0"), "B/1.png", "not-an-image", "B/1.png is"),
    "tar as image": (lambda: with_file("B/1.png", tarball()), "B/1.png", "not-an-image", "B/1.png is"),
    "other method": (
        lambda: with_file("B/1.png", GOOD, zipfile.ZIP_LZMA),
        "B/1.png",
        "unreadable",
        "is compressed with the method LZMA",
    ),
    "larger than declared": (lambda: lying(len(GOOD) - 5), "B/1.png", "unreadable", "is damaged"),
    "smaller than declared": (lambda: lying(len(GOOD) + 5), "B/1.png", "unreadable", "is damaged"),
    "damaged": (damaged, "B/1.png", "unreadable", "is damaged"),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_an_entry_that_cannot_be_used_is_left_out_with_its_reason(tmp_path: Path, case):
    make, path, kind, reason = LEFT_OUT[case]
    archive = tmp_path / "plates.zip"
    archive.write_bytes(make())
    found = import_source(archive)
    assert found.images["path"].tolist() == ["A/1.png"]
    (issue,) = found.import_issues
    assert (issue.path, issue.kind) == (path, kind)
    assert reason in issue.detail
    assert scan_source(archive).import_issues == found.import_issues


def test_other_files_are_left_out_in_a_zip_as_in_a_folder(write_tree, write_zip, picture):
    files = {
        "set/A/1.png": picture(1),
        "set/A/notes.txt": b"hi",
        "set/A/table.xlsx": b"PK\x03\x04",
        "set/B/2.png": picture(2),
        "set/B/page.jpg": b"<html>",
        "set/more.zip": b"PK\x05\x06" + bytes(18),
        "set/README": b"",
    }
    by_folder, by_zip = import_source(write_tree(files)), import_source(write_zip(files))
    assert by_zip.images["path"].tolist() == by_folder.images["path"].tolist() == ["A/1.png", "B/2.png"]
    assert by_zip.import_issues == by_folder.import_issues
    assert {issue.path for issue in by_zip.import_issues} == {
        "A/notes.txt",
        "A/table.xlsx",
        "B/page.jpg",
        "README",
        "more.zip",
    }


def test_encrypted_files_beside_a_readable_manifest_are_named(tmp_path: Path, picture):
    rows = b"path,label\nA/1.png,A\nB/1.png,B\n"
    data = bytearray(packed([("manifest.csv", rows), ("A/1.png", picture(1)), ("B/1.png", picture(2))]))
    set_flags(data, 1)
    path = tmp_path / "plates.zip"
    path.write_bytes(data)
    found = import_source(path)
    assert found.counts == {"A": 1}
    assert [issue.detail for issue in found.import_issues] == ["B/1.png is encrypted. Make the zip without a password."]


def test_the_last_of_two_entries_with_one_name_is_used(tmp_path: Path, picture):
    path = tmp_path / "plates.zip"
    # The second name is written over, since zipfile warns about duplicates.
    path.write_bytes(packed([("A/1.png", picture(1)), ("A/2.png", picture(2))]).replace(b"A/2.png", b"A/1.png"))
    found = import_source(path)
    assert [found.read_bytes(0)] == [picture(2)]
    assert [(issue.path, issue.kind) for issue in found.import_issues] == [("A/1.png", "listed-twice")]


def test_a_file_is_preferred_to_a_folder_of_the_same_name(write_zip, picture):
    found = import_source(write_zip({"A/1.png": picture(1), "A/1.png/": b""}))
    assert found.images["path"].tolist() == ["A/1.png"]
    assert [(issue.path, issue.kind) for issue in found.import_issues] == [("A/1.png", "listed-twice")]


def test_of_an_archive_without_its_beginning_the_rest_is_imported(tmp_path: Path):
    path = tmp_path / "plates.zip"
    path.write_bytes(packed([("A/1.png", GOOD), ("B/1.png", GOOD)])[100:])
    found = import_source(path)
    assert found.images["path"].tolist() == ["B/1.png"]
    assert ("A/1.png", "unreadable") in [(issue.path, issue.kind) for issue in found.import_issues]


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_leaves_nothing(tmp_path: Path, left_behind, kind):
    make, reason = HOSTILE[kind]
    path = tmp_path / "evil.zip"
    path.write_bytes(make())
    with pytest.raises(ArchiveError, match=reason) as caught:
        import_source(path)
    assert "evil.zip" in str(caught.value)
    assert left_behind() == []
    assert not list(tmp_path.rglob("evil.png*"))
    with pytest.raises(ArchiveError, match=reason):
        scan_source(path)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ImportLimits(entries=2), "it has 3 entries, more than 2"),
        (ImportLimits(total_bytes=500), "more than 500"),
        (ImportLimits(total_ratio=1.1, total_ratio_from=100), "like a zip bomb"),
        (ImportLimits(entry_ratio=5, entry_ratio_from=100), "'B/1.bmp' unpacks to"),
    ],
)
def test_limits(tmp_path: Path, left_behind, limits, reason, picture):
    path = tmp_path / "large.zip"
    path.write_bytes(packed([("A/1.png", GOOD), ("A/2.png", picture(1)), ("B/1.bmp", b"BM" + bytes(2000))]))
    with pytest.raises(ArchiveError, match=reason):
        import_source(path, limits=limits)
    assert left_behind() == []


def test_a_huge_table_of_contents_is_refused_before_it_is_read(tmp_path: Path, left_behind):
    contents = (struct.pack("<4s6H3I5H2I", b"PK\x01\x02", *[0] * 9, 1, *[0] * 6) + b"a") * 30_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0, 0, len(contents), 0, 0)
    path = tmp_path / "count.zip"
    path.write_bytes(contents + end)
    with pytest.raises(ArchiveError, match="too many entries"):
        import_source(path, limits=ImportLimits(entries=1000))
    assert left_behind() == []


def test_blank_bitmaps_are_not_refused_as_a_bomb(write_zip):
    import cv2

    blank = cv2.imencode(".bmp", np.full((2000, 2500, 3), 255, np.uint8))[1].tobytes()
    assert len(import_source(write_zip({"A/1.bmp": blank, "A/2.bmp": blank, "B/1.png": GOOD})).images) == 3


def test_an_image_that_is_too_large_is_left_out_unread(write_zip, picture):
    path = write_zip({"A/1.png": picture(1), "B/1.bmp": b"BM" + bytes(5000)})
    found = import_source(path, limits=ImportLimits(image_bytes=4000))
    assert [(issue.path, issue.kind) for issue in found.import_issues] == [("B/1.bmp", "too-large")]


@pytest.mark.parametrize(
    ("raw", "flags", "expected"),
    [
        ("B/é ü 🧫.png".encode(), 0x800, "B/é ü 🧫.png"),
        ("B/é ü 🧫.png".encode(), 0, "B/é ü 🧫.png"),  # what a Mac writes
        ("B/e\u0301.png".encode(), 0x800, "B/e\u0301.png"),  # decomposed, and left so
        ("B/é.png".encode("cp437"), 0, "B/é.png"),
    ],
)
def test_names_with_accents(tmp_path: Path, raw, flags, expected):
    path = tmp_path / "plates.zip"
    path.write_bytes(named(raw, flags=flags))
    assert scan_source(path).images["path"].tolist() == ["A/1.png", expected]


def test_files_of_operating_systems_are_ignored(write_zip, picture):
    found = import_source(
        write_zip(
            {
                "plates/": b"",
                "plates/A/1.png": picture(1),
                "plates/B/1.png": picture(2),
                "__MACOSX/plates/A/._1.png": b"junk",
                "plates/.DS_Store": b"junk",
                "plates/A/Thumbs.db": b"junk",
                "plates/B/desktop.ini": b"junk",
                "plates/B/._1.png": b"junk",
                ".git/config": b"junk",
            }
        )
    )
    assert found.images["path"].tolist() == ["A/1.png", "B/1.png"]
    assert found.import_issues == ()


def test_random_damage_ends_in_a_dataset_or_an_error(tmp_path: Path, left_behind):
    whole = packed([("A/1.png", GOOD), ("B/1.png", GOOD)])
    random, path = np.random.default_rng(5), tmp_path / "x.zip"
    for _ in range(150):
        data = bytearray(whole)
        places = random.choice([random.integers(0, len(data)), len(data) - random.integers(1, 140)], 3)
        for place in places:
            data[place] = random.integers(0, 256)
        path.write_bytes(data)
        try:
            scan_source(path)
        except CfuError:
            continue
    assert left_behind() == []
