"""Fonts of figures: installed fonts for characters that the default font lacks, and a note on those that none has."""

import unicodedata
from collections.abc import Iterable, Set
from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from cfu_core.wording import first_of

#: Fonts that have a placeholder for each character.
_PLACEHOLDER_FONTS = ("lastresort", "adobeblank", "adobenotdef")
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC", "FULLWIDTH", "BOPOMOFO")
_NAMED = 12  # characters in a note


def use_installed_fonts(figure: Figure) -> str:
    """Let the texts of a figure use installed fonts for characters that their own font lacks.

    Fonts that were installed after the start of the program are found, too.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Its texts get the names of further font families after those that they have.

    Returns
    -------
    str
        The characters that no installed font has, each once, in the order of their code points.
    """
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
    missing = _missing_after_fallback(texts)
    if missing and _register_new_fonts():
        missing = _missing_after_fallback(texts)
    return "".join(sorted(missing))


def missing_characters_note(characters: str) -> str:
    """Describe which characters a figure lacks, and which fonts to install.

    Parameters
    ----------
    characters : str
        From `use_installed_fonts`.

    Returns
    -------
    str
        Sentences for a caption; empty if `characters` is empty.
    """
    if not characters:
        return ""
    named = first_of([f"{c} (U+{ord(c):04X})" for c in characters], _NAMED)
    east_asian = [unicodedata.name(c, "").startswith(_EAST_ASIAN) for c in characters]
    packages = ["fonts-noto-cjk"] * any(east_asian) + ["fonts-noto-core"] * (not all(east_asian))
    return (
        f"No installed font has {named}: this figure shows boxes instead. The tables have the full names. "
        f"Install a font with these characters (Debian and Ubuntu: {' and '.join(packages)}; others: a Noto font), "
        "then draw the figure again."
    )


def _missing_after_fallback(texts: Iterable[Text]) -> set[str]:
    missing: set[str] = set()
    for text in texts:
        weight, style = text.get_fontweight(), text.get_fontstyle()
        families = list(text.get_fontfamily())
        lacking = _visible(text.get_text())
        for family in families:
            lacking -= _covered(family, weight, style)
        while lacking and (other := _best_family(lacking, weight, style)):
            families.append(other)
            lacking -= _covered(other, weight, style)
        if families != text.get_fontfamily():
            text.set_fontfamily(families)
        missing |= lacking
    return missing


def _visible(text: str) -> set[str]:
    """Return the characters that need a glyph: no white space, joiners or variation selectors."""
    composed = unicodedata.normalize("NFC", text)
    return {
        c
        for c in composed
        if not c.isspace() and unicodedata.category(c) != "Cf" and "VARIATION SELECTOR" not in unicodedata.name(c, "")
    }


def _best_family(characters: Set[str], weight: str | int, style: str) -> str | None:
    """Return the first family that has all characters, otherwise the one that has most of them."""
    names = {entry.name for entry in fontManager.ttflist}
    found, most = None, 0
    for name in sorted(names, key=lambda name: ("Sans" not in name, name)):  # the default font has no serifs
        if name.lower().replace(" ", "").strip(".").startswith(_PLACEHOLDER_FONTS):
            continue
        count = len(characters & _covered(name, weight, style))
        if count == len(characters):
            return name
        if count > most:
            found, most = name, count
    return found


def _covered(family: str, weight: str | int, style: str) -> frozenset[str]:
    """Return the characters of the font that Matplotlib uses for a family."""
    properties = FontProperties(family=[family], weight=weight, style=style)  # type: ignore[arg-type]
    try:
        path = fontManager.findfont(properties, fallback_to_default=False, rebuild_if_missing=False)
    except ValueError:  # the font has been removed
        return frozenset()
    return _characters_in(path.path, path.face_index)


@lru_cache(maxsize=1024)
def _characters_in(path: str, face_index: int) -> frozenset[str]:
    try:
        return frozenset(map(chr, FT2Font(path, face_index=face_index).get_charmap()))
    except (OSError, RuntimeError):  # removed or damaged
        return frozenset()


def _register_new_fonts() -> bool:
    """Add system fonts that Matplotlib does not list yet, since it stores its list on disk."""
    known = {entry.fname for entry in fontManager.ttflist}
    before = len(known)
    for path in sorted(set(findSystemFonts()) - known):
        try:
            fontManager.addfont(path)
        except Exception:  # noqa: BLE001 - as Matplotlib does: a font that cannot be read is not a font to use
            continue
    return len({entry.fname for entry in fontManager.ttflist}) > before
