import pytest

from cfu_core.dataset.importing.text_encoding import decode_text
from cfu_core.errors import DatasetError

TABLE = "file;class\r\nim0.png;{}\r\nim1.png;CFU-E\r\n"


@pytest.mark.parametrize(
    ("coding", "name", "word"),
    [
        ("cp1252", "Windows-1252", "Kolonie weiß"),
        ("cp1252", "Windows-1252", "érythroïde – 5 µm"),
        ("cp1252", "Windows-1252", "37°C"),
        ("cp1252", "Windows-1252", "5µm"),
        ("cp1251", "Windows-1251", "белая колония"),
        ("cp1251", "Windows-1251", "КОЕ-ГМ"),
        ("cp932", "Shift-JIS", "赤芽球コロニー"),
        ("gb18030", "GBK", "红系祖细胞"),
    ],
)
def test_encodings_of_excel_are_guessed(coding, name, word):
    text, guessed = decode_text(TABLE.format(word).encode(coding), name="m.csv")
    assert text == TABLE.format(word)
    assert guessed.startswith(name)


@pytest.mark.parametrize(
    ("coding", "word"),
    [("mac_roman", "weiß"), ("mac_roman", "Müller"), ("big5", "紅血球"), ("cp949", "과립구"), ("gb18030", "红")],
)
def test_a_doubtful_encoding_is_refused_with_the_line(coding, word):
    with pytest.raises(DatasetError, match=r"not UTF-8 text \(line 2\), and its encoding is not recognised.*CSV UTF-8"):
        decode_text(TABLE.format(word).encode(coding), name="m.csv")


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_what_the_file_says_is_not_a_guess(coding):
    assert decode_text(TABLE.format("weiß").encode(coding), name="m.csv") == (TABLE.format("weiß"), "")


@pytest.mark.parametrize("data", [b"\xff\xfea", b"\xef\xbb\xbf\xff", b"a,b\n\0", b"\xff\0\xd8"])
def test_damaged_text_is_refused(data):
    with pytest.raises(DatasetError, match=r"m\.csv is (damaged|not text)"):
        decode_text(data, name="m.csv")
