import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from cfu_core.cli import main
from cfu_core.dataset.importing.source import import_source, scan_source
from cfu_core.dataset.importing.zip_names import decode_names
from cfu_core.errors import ArchiveError

pytestmark = pytest.mark.usefixtures("cfu_home")

USUAL = {
    "cp932": ["赤芽球", "顆粒球", "コロニー形成", "写真1", "表", "ソ連", "ひらがな", "CFU混合"],
    "gb18030": ["红系", "粒系", "单核细胞", "骨髓", "嗜酸性粒细胞", "照片1"],
    "big5": ["紅血球", "白血球", "單核細胞"],
    "cp866": ["Эритроид", "Гранулоцит", "Клетки крови"],
    "cp1251": ["Эритроид", "Гранулоцит", "Клетки крови"],
    "cp437": ["Erythroïde", "Müller", "Größe", "Über", "été"],
    "cp1252": ["Erythroïde", "Müller", "Größe", "Über", "été", "Rødceller", "37°C", "5µm", "CFU 5µm", "10 µM", "O²"],
    "cp850": ["Rødceller", "Køben"],
    "utf-8": ["Erythroïde", "ä", "红系", "顆粒球", "Эритроид", "적혈구"],
}


def entries(names: list[bytes], *, extra: bytes = b"") -> list[zipfile.ZipInfo]:
    """Entries with these raw names, without a mark, as zipfile reads them."""
    found = []
    for name in names:
        info = zipfile.ZipInfo(name.decode("cp437"))
        info.extra = extra
        found.append(info)
    return found


def unmarked(folder: Path, contents: dict[bytes, bytes]) -> Path:
    """A zip whose names have these bytes and no mark; zipfile itself would mark them as UTF-8."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in contents.items():
            archive.writestr("".join("x" if byte > 127 else chr(byte) for byte in name), content)
    data = stream.getvalue()
    for name in contents:
        data = data.replace(bytes(120 if byte > 127 else byte for byte in name), name)
    path = folder / "plates.zip"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("case", "classes", "encoding"),
    [
        ("cp437_unmarked", {"Erythroïde", "Granulozyt-ä"}, "code page 437"),
        ("cp932_unmarked", {"赤芽球", "顆粒球"}, "Shift-JIS"),
        ("gbk_unmarked", {"红系", "粒系"}, "GBK"),
        ("utf-8_unmarked", {"Érythroïde", "Granulozyt-ä"}, ""),
    ],
)
def test_classes_of_real_archives_are_readable(cases: Path, case, classes, encoding):
    found = import_source(cases / "09_zip_names" / f"{case}.zip")
    assert set(found.counts) == classes
    issues = [issue for issue in found.import_issues if issue.kind == "encoding"]
    assert [issue.path for issue in issues] == ([f"{case}.zip"] if encoding else [])
    assert all(f"They are read as {encoding}" in issue.detail and "--zip-names" in issue.detail for issue in issues)


@pytest.mark.parametrize(
    ("encoding", "name"), [(encoding, name) for encoding, names in USUAL.items() for name in names]
)
def test_a_single_usual_name_is_read_in_its_encoding(encoding, name):
    assert decode_names(entries([name.encode(encoding)]), archive="x.zip").names == [name]


@pytest.mark.parametrize("encoding", [*USUAL, "cp949"])
def test_all_names_of_an_archive_are_read_together(encoding):
    names = USUAL.get(encoding, ["적혈구", "과립구", "백혈구", "plain.png"])
    decoded = decode_names(entries([name.encode(encoding) for name in names]), archive="x.zip")
    assert decoded.names == names
    assert bool(decoded.guess) == (encoding != "utf-8")


@pytest.mark.parametrize("encoding", ["cp1250", "cp852", "cp1252"])
@pytest.mark.parametrize("name", ["białe", "KOMÓRKI", "część_a", "BIAŁE/37°C", "kręgi", "Ćwiczenie_5", "źródło"])
def test_polish_names_are_never_read_as_east_asian(encoding, name):
    raw = name.encode(encoding, "replace")
    if raw.isascii():
        return
    (found,) = decode_names(entries([raw]), archive="x.zip").names
    assert all(ord(character) < 0x2E80 for character in found), found


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("cp932", "2024年"), ("cp932", "10月1日"), ("gb18030", "二〇二四年"), ("gb18030", "細胞"), ("big5", "2024年/胞")],
)
def test_east_asian_names_with_a_second_byte_of_any_kind_are_read(encoding, name):
    assert decode_names(entries([name.encode(encoding)]), archive="x.zip").names == [name]


def test_one_name_that_is_not_utf_8_decides_for_all():
    names = ["一", "红系"]
    while True:  # a character of GBK whose two bytes are valid UTF-8
        try:
            names[0].encode("gbk").decode()
            break
        except UnicodeDecodeError:
            names[0] = chr(ord(names[0]) + 1)
    assert decode_names(entries([name.encode("gbk") for name in names]), archive="x.zip").names == names


def test_names_that_are_no_text_are_read_as_code_page_437_and_stay_different():
    raw = [bytes([byte, 0xB0]) for byte in range(0x80, 0x100)]
    decoded = decode_names(entries(raw), archive="x.zip")
    assert decoded.names == [name.decode("cp437") for name in raw]
    assert "code page 437" in decoded.guess


def test_plain_names_have_no_guess():
    assert decode_names(entries([b"A/1.png", b"B/2.png"]), archive="x.zip") == (["A/1.png", "B/2.png"], "")


def test_a_name_in_an_extra_field_is_used_if_it_belongs_to_the_entry():
    raw, name = b"A/?.png", "A/赤.png"
    for checksum, expected in ((zlib.crc32(raw), name), (1, "A/?.png")):
        body = struct.pack("<BI", 1, checksum) + name.encode()
        extra = struct.pack("<HH", 0x5455, 1) + b"\0" + struct.pack("<HH", 0x7075, len(body)) + body
        assert decode_names(entries([raw], extra=extra), archive="x.zip").names == [expected]


def test_the_encoding_can_be_chosen(tmp_path: Path, picture):
    path = unmarked(tmp_path, {f"{name}/1.png".encode("cp949"): picture(i) for i, name in enumerate(["사진", "새"])})
    assert set(scan_source(path).counts) != {"사진", "새"}  # two syllables are not enough to tell
    found = import_source(path, zip_names="cp949")
    assert set(found.counts) == {"사진", "새"}
    assert found.import_issues == ()


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("klingon", "'klingon' is not an encoding"),
        ("hex", "'hex' is not an encoding"),
        ("utf-8", r"are not utf-8: \\xb2\\xe2/1.png cannot be read"),
    ],
)
def test_an_encoding_that_does_not_fit_is_refused(tmp_path: Path, picture, left_behind, encoding, message):
    path = unmarked(tmp_path, {"测/1.png".encode("gbk"): picture(1)})
    with pytest.raises(ArchiveError, match=message):
        import_source(path, zip_names=encoding)
    assert left_behind() == []


def test_an_encoding_in_which_names_become_equal_is_refused(tmp_path: Path, picture):
    path = unmarked(tmp_path, {b"\x81\xca/1.png": picture(1), b"\xee\xf9/1.pnG": picture(2)})
    with pytest.raises(ArchiveError, match="become equal in cp932"):
        import_source(path, zip_names="cp932")
    assert len(import_source(path).counts) == 2


def test_a_decoded_name_must_not_lead_out(tmp_path: Path, picture):
    path = unmarked(tmp_path, {"../é.png".encode("cp437"): picture(1)})
    with pytest.raises(ArchiveError, match="leads out"):
        import_source(path)


def test_the_shell_passes_the_encoding_on(tmp_path: Path, picture, capsys):
    path = unmarked(tmp_path, {"사진/1.png".encode("cp949"): picture(1)})
    assert main(["inspect", str(path), "--zip-names", "cp949", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == {"사진": 1}
