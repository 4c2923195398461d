"""Encodings of text files that other programs write: from a mark at the beginning, or guessed from the characters.

A guess is made only if the bytes are ordinary text in exactly one of the encodings that Excel uses outside UTF-8. What
is ordinary is narrow on purpose: the frequent characters of each script, because nearly all bytes mean something in
each encoding.
"""

import codecs
import re
from typing import NamedTuple

from cfu_core.dataset.importing.east_asian import is_frequent
from cfu_core.errors import DatasetError

_SAVE_AGAIN = 'In Excel, save it as "CSV UTF-8".'
_MARKS = (  # UTF-32 before UTF-16, whose mark it begins with
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class DecodedText(NamedTuple):
    """Text of a file.

    Attributes
    ----------
    text : str
        The text, without a byte order mark.
    guessed : str
        Name of the encoding for users if it was guessed, such as "Windows-1252 (Western Europe)"; otherwise ``""``.
    """

    text: str
    guessed: str


def decode_text(data: bytes, *, name: str) -> DecodedText:
    """Decode a text file.

    A byte order mark determines the encoding: UTF-8, UTF-16 or UTF-32. Without a mark the file is UTF-8 if it is valid
    UTF-8 without NUL characters. Otherwise UTF-16, Windows-1252, Shift-JIS, GBK, Korean and Windows-1251 are tried.

    Parameters
    ----------
    data : bytes
        Content of the file.
    name : str
        Name of the file in messages.

    Raises
    ------
    DatasetError
        The text is not valid in the encoding of its mark; or without a mark, no encoding or more than one fits.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return DecodedText(data.decode(encoding), "")
            except UnicodeDecodeError as error:
                found = f"{name} is damaged: it begins as {encoding.removesuffix('-sig').upper()} text but does not "
                raise DatasetError(f"{found}go on so (byte {error.start + 1}).", "", _SAVE_AGAIN) from error
    if b"\0" in data:
        return _without_mark(data, name)
    try:
        return DecodedText(data.decode(), "")
    except UnicodeDecodeError as error:
        return _guessed(data, name, error.start)


def _without_mark(data: bytes, name: str) -> DecodedText:
    """Decode UTF-16 without a mark: in a table, every second byte of the separators and line breaks is zero."""
    odd, even = data[1::2].count(0), data[::2].count(0)
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        line = data[: data.index(0)].count(b"\n") + 1
        raise DatasetError(f"{name} is not text: line {line} has a NUL character.", "", _SAVE_AGAIN)
    return DecodedText(text, "UTF-16 without a byte order mark")


def _guessed(data: bytes, name: str, position: int) -> DecodedText:
    decoded = ((label, _decoded(data, encoding), is_usual) for label, encoding, is_usual in _GUESSES)
    fits = {label: text for label, text, is_usual in decoded if text and is_usual(text)}
    if len(fits) == 1:
        label, text = fits.popitem()
        return DecodedText(text, label)
    line = data[:position].count(b"\n") + 1
    possible = f"; it may be {' or '.join(fits)}" if fits else ""
    raise DatasetError(
        f"{name} is not UTF-8 text (line {line}), and its encoding is not recognised{possible}.", "", _SAVE_AGAIN
    )


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return ""


_LATIN_LETTERS = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝŒŠŽß àáâãäåæçèéêëìíîïñòóôõöøùúûüýÿœšž".replace(" ", "")
_LATIN = re.compile(rf"[\0-\x7f{_LATIN_LETTERS}‘’“”–—…€°±²³×®™µ½¼]*")
_UNUSUAL_LATIN = re.compile(rf"€[A-Za-z]|[a-zß-ÿ][À-ÖØ-ÞŸŒŠŽ]|[{_LATIN_LETTERS}]{{3}}|[A-Z][À-ÖØ-ÞŸŒŠŽ][a-z]")
_CYRILLIC = re.compile(r"[\0-\x7fА-Яа-яЁё№«»–—…°±µ“”‘’\xa0]*")
_UNUSUAL_CYRILLIC = re.compile(r"[а-яё][А-ЯЁ]|(?<![А-Яа-яЁё])[А-Яа-яЁё]{1,2}(?![А-Яа-яЁё])[A-Za-z]|[A-Za-z][А-Яа-яЁё]")


def _is_latin(text: str) -> bool:
    return bool(_LATIN.fullmatch(text)) and not _UNUSUAL_LATIN.search(text)


def _is_cyrillic(text: str) -> bool:
    if not re.search(r"[А-яЁё]", text):
        return False
    return bool(_CYRILLIC.fullmatch(text)) and not _UNUSUAL_CYRILLIC.search(text)


def _is_japanese(text: str) -> bool:
    """Return whether all characters are symbols, kana or the frequent kanji (level 1 of JIS X 0208)."""
    return is_frequent(text, "cp932")


def _is_chinese(text: str) -> bool:
    """Return whether all characters are symbols or the frequent hanzi (level 1 of GB 2312)."""
    return is_frequent(text, "gb18030") and not re.search(r"[Ѐ-ӿ]", text)


def _is_korean(text: str) -> bool:
    """Return whether all characters are symbols or the frequent syllables of KS X 1001."""
    return is_frequent(text, "cp949") and not re.search(r"[Ѐ-ӿ一-鿿]", text)


_GUESSES = (
    ("Windows-1252 (Western Europe)", "cp1252", _is_latin),
    ("Windows-1251 (Cyrillic)", "cp1251", _is_cyrillic),
    ("Shift-JIS (Japanese)", "cp932", _is_japanese),
    ("GBK (Chinese)", "gb18030", _is_chinese),
    ("EUC-KR (Korean)", "cp949", _is_korean),
)
