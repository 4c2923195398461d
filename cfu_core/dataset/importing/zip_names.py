"""Encodings of the names in a zip archive, which many programs do not state.

A zip marks a name as UTF-8, or does not say what it is: Windows writes the code page of its language, Linux and macOS
write UTF-8. The names without a mark are decoded together, because one program on one computer wrote them. They are
UTF-8 if all of them are valid UTF-8. Otherwise the encodings of `GUESSES` are tried in this order:

1. the first one in which all names are usual text: frequent characters of one script, capitals not inside words;
2. the first one in which every character beyond ASCII is a letter of its script, and in an East Asian encoding none is
   probably a letter or sign of Western Europe with the next letter (`cfu_core.dataset.importing.east_asian`);
3. code page 437, which is the standard's encoding and decodes everything.

Short names may be usual text in several encodings, so the choice is reported as an issue and can be overridden. An
encoding in which two different names become equal is never chosen.
"""

import codecs
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cfu_core.dataset.importing.east_asian import is_frequent, is_joined, is_possible
from cfu_core.errors import ArchiveError

_UTF8_FLAG = 0x800
_UNICODE_PATH = 0x7075  # extra field with the name in UTF-8, written by Info-ZIP and WinRAR
_MIN_SYLLABLES = 5  # different characters; fewer may well be Chinese characters that Korean has at the same place


class DecodedNames(NamedTuple):
    """Names of the entries of an archive.

    Attributes
    ----------
    names : list of str
        In the order of the entries, with the separators of the archive.
    guess : str
        One or two sentences about the encoding that was guessed; ``""`` if it was stated, chosen or certain.
    """

    names: list[str]
    guess: str


class _Guess(NamedTuple):
    encoding: str
    label: str
    is_usual: Callable[[str], bool]
    is_possible: Callable[[str], bool]


def decode_names(entries: Sequence[zipfile.ZipInfo], *, archive: str, encoding: str | None = None) -> DecodedNames:
    """Decode the names of all entries of an archive.

    Parameters
    ----------
    entries : sequence of ZipInfo
        From a `zipfile.ZipFile` that was opened without ``metadata_encoding``.
    archive : str
        Name of the archive in messages.
    encoding : str, optional
        Python's name of the encoding of the names that state none, such as ``cp932``. By default it is guessed, see
        the description of this module.

    Returns
    -------
    DecodedNames
        A name with the mark of UTF-8 or with a Unicode path in its extra field is decoded as that, regardless of
        `encoding`.

    Raises
    ------
    ArchiveError
        `encoding` is not known or does not fit the names, or two different names become equal in it.
    """
    names = [_stated_name(info) for info in entries]
    raw = [
        info.orig_filename.encode("cp437") if name is None else b"" for info, name in zip(entries, names, strict=True)
    ]
    foreign = sorted({name for name in raw if not name.isascii()})
    chosen, guess = "cp437", ""
    if encoding is not None:
        chosen = _checked(encoding, foreign, archive)
    elif foreign:
        chosen, guess = _guessed(foreign, archive)
    decoded = [
        name if name is not None else (data.decode(chosen) if not data.isascii() else data.decode("ascii"))
        for name, data in zip(names, raw, strict=True)
    ]
    return DecodedNames(decoded, guess)


def _stated_name(info: zipfile.ZipInfo) -> str | None:
    """Return the name if the archive states its encoding; zipfile cuts `filename` at NUL, so that is not used."""
    if info.flag_bits & _UTF8_FLAG:
        return info.orig_filename
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        # The checksum tells whether the name was changed later by a program that does not know this field.
        if kind == _UNICODE_PATH and len(body) > 5 and body[0] == 1:
            (checksum,) = struct.unpack_from("<I", body, 1)
            if checksum == zlib.crc32(info.orig_filename.encode("cp437")):
                return _decoded([body[5:]], "utf-8")
    return None


def _checked(encoding: str, names: Sequence[bytes], archive: str) -> str:
    try:
        "a".encode(encoding)
        known = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise ArchiveError(
            f"{encoding!r} is not an encoding of names.", "Expected one such as cp932, gb18030, cp437 or utf-8.", ""
        ) from None
    for name in names:
        if _decoded([name], known) is None:
            shown = name.decode("ascii", "backslashreplace")
            raise ArchiveError(
                f"The names in {archive} are not {encoding}: {shown} cannot be read.",
                "Every name must be valid in the chosen encoding.",
                "Choose another encoding, or none: then it is guessed.",
            )
    if _collapse(names, known):
        raise ArchiveError(
            f"Different names in {archive} become equal in {encoding}.", "", "Choose another encoding of the names."
        )
    return known


def _guessed(names: Sequence[bytes], archive: str) -> tuple[str, str]:
    usual = [guess for guess in GUESSES if _fits(names, guess.encoding, guess.is_usual)]
    if _decoded(names, "utf-8") is not None:
        found = "utf-8"
        if not usual:  # no other encoding gives sensible names
            return found, ""
        label = "UTF-8"
    else:
        possible = usual or [guess for guess in GUESSES if _fits(names, guess.encoding, guess.is_possible)]
        found, label = possible[0][:2] if possible else ("cp437", "code page 437 (DOS)")
        if len(possible) > 1 and possible[0].encoding == "gb18030" and usual:
            found, label = _chinese_or_korean(names, possible)
    others = [guess.encoding for guess in usual] or ["cp932", "gb18030", "cp437", "cp1252"]
    text = _decoded(names, found) or ""
    example = next((part for part in re.split(r"[/\n]", text) if not part.isascii()), "")
    return found, (
        f"The names in {archive} do not state their encoding. They are read as {label}, for example {example}. If this "
        f"is wrong, choose the encoding and import the archive again: in the shell with --zip-names ENCODING, such as "
        f"{', '.join(encoding for encoding in others if encoding != found) or 'cp437'}."
    )


def _chinese_or_korean(names: Sequence[bytes], possible: Sequence[_Guess]) -> tuple[str, str]:
    """Return encoding and label; Korean is a part of what Chinese allows, so long texts that fit both are Korean."""
    korean = next((guess for guess in possible if guess.encoding == "cp949"), None)
    characters = {character for character in _decoded(names, "gb18030") or "" if not character.isascii()}
    return (korean if korean and len(characters) >= _MIN_SYLLABLES else possible[0])[:2]


def _fits(names: Sequence[bytes], encoding: str, accepts: Callable[[str], bool]) -> bool:
    text = _decoded(names, encoding)
    return text is not None and accepts(text) and not _collapse(names, encoding)


def _decoded(names: Sequence[bytes], encoding: str) -> str | None:
    """Return the names in lines; None if one of them is not valid."""
    try:
        return "\n".join(name.decode(encoding) for name in names)
    except (UnicodeDecodeError, LookupError):
        return None


def _collapse(names: Sequence[bytes], encoding: str) -> bool:
    """Return whether different names of files or folders become equal."""
    raw = [part for name in names for part in name.split(b"/")]
    decoded = [part for name in names for part in name.decode(encoding).split("/")]
    return len(raw) != len(decoded) or len(set(decoded)) < len(set(raw))


def _consists_of(letters: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: all(character.isascii() or letters.fullmatch(character) for character in text)


_LATIN = re.compile(r"[À-ÖØ-öø-ÿŒœŠšŽžŸƒ°µ²³]")
_CYRILLIC = re.compile(r"[А-Яа-яЁё]")
# Without half-width katakana: nearly every byte would be one of them.
_JAPANESE = re.compile(r"[\u3000-\u30ff一-鿿！-～α-ωΑ-Ω×℃]")
_CHINESE = re.compile(r"[\u3000-\u3015一-鿿！-～α-ωΑ-Ω×℃·]")
_KOREAN = re.compile(r"[가-힣\u3000-\u3015！-～α-ωΑ-Ω×℃·]")
_UNUSUAL_LATIN = re.compile(r"[a-zß-öø-ÿ][A-ZÀ-ÖØ-Þ]|[^\0-\x7f]{3}|[^\0-\x7f][\[\]{}^`~@]|[A-Za-z][°²³ƒ][a-z]")
_UNUSUAL_CYRILLIC = re.compile(r"[а-яё][А-ЯЁ]|[A-Za-z][А-яЁё]|[А-яЁё][A-Za-z]")


def _is_latin(text: str) -> bool:
    return _consists_of(_LATIN)(text) and not _UNUSUAL_LATIN.search(text)


def _is_cyrillic(text: str) -> bool:
    # One or two letters among Latin ones are accented letters in another encoding.
    has_word = re.search(r"[А-яЁё]{3}", text) is not None
    return has_word and _consists_of(_CYRILLIC)(text) and not _UNUSUAL_CYRILLIC.search(text)


def _east_asian(encoding: str, label: str, letters: re.Pattern[str]) -> _Guess:
    consists_of_letters = _consists_of(letters)
    return _Guess(
        encoding,
        label,
        lambda text: consists_of_letters(text) and is_frequent(text, encoding) and not is_joined(text),
        lambda text: consists_of_letters(text) and is_possible(text, encoding),
    )


GUESSES = (
    _east_asian("cp932", "Shift-JIS (Japanese)", _JAPANESE),
    _east_asian("gb18030", "GBK (Chinese)", _CHINESE),
    _east_asian("cp949", "Korean", _KOREAN),
    _east_asian("big5", "Big5 (Traditional Chinese)", _CHINESE),
    _Guess("cp866", "code page 866 (Cyrillic)", _is_cyrillic, _consists_of(_CYRILLIC)),
    _Guess("cp1251", "Windows-1251 (Cyrillic)", _is_cyrillic, _consists_of(_CYRILLIC)),
    _Guess("cp437", "code page 437 (DOS)", _is_latin, _consists_of(_LATIN)),
    _Guess("cp1252", "Windows-1252 (Western Europe)", _is_latin, _consists_of(_LATIN)),
    _Guess("cp850", "code page 850 (Western Europe)", _is_latin, _consists_of(_LATIN)),
)
