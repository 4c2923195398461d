"""Which characters of two bytes make a guess of an East Asian encoding plausible.

Nearly every pair of a byte above 127 and another one is a character in one of these encodings, also an accented letter
or a sign of Windows-1252 with what follows it: the bytes of ``37°C`` and ``5µm`` are Chinese characters. The rules are
the same for the names in a zip and for the text of a manifest.
"""

import re
from typing import NamedTuple


class _Code(NamedTuple):
    """Leads of the symbols and the frequent characters, least trail of these, and whether ASCII is a usual trail."""

    leads: range
    trail: int
    ascii_trails: bool


_CODES = {
    "cp932": _Code(range(0x81, 0x99), 0x40, True),  # symbols, kana and level 1 of JIS X 0208
    "gb18030": _Code(range(0xA1, 0xD8), 0xA1, False),  # symbols and level 1 of GB 2312
    "cp949": _Code(range(0xA1, 0xC9), 0xA1, False),  # symbols and syllables of KS X 1001
    "big5": _Code(range(0xA1, 0xC7), 0x40, True),  # symbols and level 1
}
_OTHER_TRAILS = "〇"  # frequent in Chinese, but outside GB 2312
_LETTER_TRAIL = re.compile(rb".[A-Za-z_]", re.DOTALL)
_FOREIGN = re.compile(r"[^\0-\x7f]+")
# A lower-case letter beside a character of East Asia is an accented letter in another encoding, as in "Erythro仕e".
_JOINED = re.compile(r"[a-z][^\0-\x7f]|[^\0-\x7f][a-z]")


def is_frequent(text: str, encoding: str) -> bool:
    """Return whether all characters beyond ASCII are symbols or frequent characters of an encoding.

    Parameters
    ----------
    text : str
        Text that was decoded with `encoding`.
    encoding : str
        ``cp932``, ``gb18030``, ``cp949`` or ``big5``.
    """
    leads, trail, _ = _CODES[encoding]
    codes = {character: character.encode(encoding) for character in set(text) if not character.isascii()}
    return not _is_split(text, encoding) and all(
        len(code) == 2 and code[0] in leads and (code[1] >= trail or character in _OTHER_TRAILS)
        for character, code in codes.items()
    )


def is_possible(text: str, encoding: str) -> bool:
    """Return whether no character beyond ASCII is probably an accented letter or a sign with the letter after it.

    Parameters
    ----------
    text : str
        Text that was decoded with `encoding`.
    encoding : str
        ``cp932``, ``gb18030``, ``cp949`` or ``big5``. In the second and third one, a frequent character has no ASCII
        as its second byte. In the others it may, and then no lower-case letter may be beside a character.
    """
    if _CODES[encoding].ascii_trails:
        return not _JOINED.search(text) and not _is_split(text, encoding)
    return all(character.encode(encoding)[1] >= 0x80 for character in set(text) if not character.isascii())


def is_joined(text: str) -> bool:
    """Return whether a lower-case letter is beside a character beyond ASCII."""
    return _JOINED.search(text) is not None


def _is_split(text: str, encoding: str) -> bool:
    """Return whether all foreign characters of Big5 are single ones whose second byte is a letter, as of ``37°C``."""
    if encoding != "big5":  # in Shift-JIS, 年 alone is such a character; signs of Windows-1252 are others there
        return False
    runs = set(_FOREIGN.findall(text))
    return bool(runs) and all(len(run) == 1 and _LETTER_TRAIL.fullmatch(run.encode(encoding)) for run in runs)
