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


def special(kind: int) -> bytes:
    info = zipfile.ZipInfo("B/link.png")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return packed([("A/1.png", GOOD), (info, b"/etc/passwd")])


def twice() -> bytes:
    # The second name is written over, since zipfile warns about duplicates.
    return packed([("A/1.png", GOOD), ("A/2.png", GOOD)]).replace(b"A/2.png", b"A/1.png")


def encrypted() -> bytes:
    data = bytearray(packed([("A/1.png", GOOD), ("B/1.png", GOOD)]))
    set_flags(data, 1)
    return bytes(data)


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
    "symbolic link": (lambda: special(stat.S_IFLNK), "is a link or a special file"),
    "pipe": (lambda: special(stat.S_IFIFO), "is a link or a special file"),
    "device": (lambda: special(stat.S_IFCHR), "is a link or a special file"),
    "encrypted": (encrypted, "is encrypted"),
    "zip within": (lambda: packed([("A/1.png", GOOD), ("B/more.zip", packed([]))]), "is itself an archive"),
    "tar.gz within": (lambda: packed([("A/1.png", GOOD), ("B/more.tar.gz", b"x")]), "is itself an archive"),
    "zip as image": (lambda: packed([("A/1.png", GOOD), ("B/1.png", packed([]))]), "is itself an archive"),
    "rar as image": (lambda: packed([("A/1.png", GOOD), ("B/1.png", b"Rar!\x1a\x07\0")]), "is itself an archive"),
    "tar as image": (lambda: packed([("A/1.png", GOOD), ("B/1.png", tarball())]), "is itself an archive"),
    "one bomb": (lambda: packed([("A/1.png", GOOD), ("B/1.png", bytes(120_000_000))]), "like a zip bomb"),
    "overlapping bomb": (overlapping, "like a zip bomb"),
    "other method": (lambda: packed([("A/1.png", GOOD)], zipfile.ZIP_LZMA), "compressed with method 14"),
    "larger than declared": (lambda: lying(len(GOOD) - 5), "is damaged"),
    "smaller than declared": (lambda: lying(len(GOOD) + 5), "is damaged|has another size than it declares"),
    "no image": (lambda: packed([("A/1.png", GOOD), ("B/run.exe", b"MZ")]), "'B/run.exe' is neither an image"),
    "page": (lambda: packed([("A/1.png", GOOD), ("README.txt", b"hi")]), "'README.txt' is neither an image"),
    "twice": (twice, "'A/1.png' occurs twice"),
    "file and folder": (lambda: packed([("A/1.png", GOOD), ("A/1.png/", b"")]), "'A/1.png/' occurs twice"),
    "text": (lambda: b"this is no zip at all", "not a complete zip"),
    "nothing": (lambda: b"", "not a complete zip"),
    "cut at the end": (lambda: packed([("A/1.png", GOOD), ("B/1.png", GOOD)])[:-30], "not a complete zip"),
    "cut at the start": (lambda: packed([("A/1.png", GOOD), ("B/1.png", GOOD)])[100:], "not a complete zip|is damaged"),
    "damaged entry": (
        lambda: packed([("A/1.png", GOOD), ("B/1.png", GOOD)], zipfile.ZIP_STORED).replace(b"IDAT", b"IDOT", 1),
        "is damaged",
    ),
}


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
