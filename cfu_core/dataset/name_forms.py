"""Names of classes and groups that look alike: one normal form to compare them, the user's spelling to show them."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from cfu_core.wording import listed, plural

_HYPHENS = re.compile("[\u2010-\u2015\u2043\u2212\u02d7\ufe58\ufe63\uff0d]")
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
# Cyrillic and Greek small letters that look like Latin ones, in small or capital form
_LATIN = str.maketrans("авекмнорстухіјѕԁґαβεζηικμνορτυχ", "abekmhopctyxijsdrabezhikmnoptyx")
_APOSTROPHES = {0x2018: "'", 0x2019: "'", 0x02BC: "'"}


def clean_name(name: str) -> str:
    r"""Return a name in composed characters, without invisible characters, and with single blanks only.

    Examples
    --------
    >>> clean_name(" CFU-GM\u200b\u00a0 large ")
    'CFU-GM large'
    """
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFC", name)).split())


def name_key(name: str) -> str:
    r"""Return the normal form by which names are compared.

    Names have the same form if they differ only in upper and lower case, blanks at the ends or several in place of one,
    the kind of blank or hyphen, invisible characters, composed or decomposed accents, full-width letters, the kind of
    apostrophe, or full stops at the end, which Windows removes from the names of folders.

    Examples
    --------
    >>> name_key("cfu\u2011e ") == name_key("CFU-E")
    True
    """
    plain = _HYPHENS.sub("-", clean_name(name)).translate(_WIDE).translate(_APOSTROPHES)
    return unicodedata.normalize("NFC", plain.casefold()).rstrip(". ") or plain


def unify_names(names: Iterable[str]) -> tuple[dict[str, str], dict[str, Counter[str]]]:
    """Choose one spelling for names that have the same normal form: the most frequent one, or the first of these.

    Parameters
    ----------
    names : iterable of str
        The name of each image.

    Returns
    -------
    spelling : dict of str to str
        Spelling to use, cleaned by `clean_name`, for each name.
    forms : dict of str to Counter
        For each spelling that stands for several forms, or for a form that was cleaned: the forms with their numbers
        of images, in the order of their first occurrence.
    """
    by_key: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, count in Counter(names).items():
        by_key[name_key(name)][name] = count
    spelling: dict[str, str] = {}
    changed: dict[str, Counter[str]] = {}
    for forms in by_key.values():
        cleaned: Counter[str] = Counter()
        for form, count in forms.items():
            cleaned[clean_name(form) or form] += count
        shown = max(cleaned, key=cleaned.__getitem__)
        spelling |= dict.fromkeys(forms, shown)
        if list(forms) != [shown]:
            changed[shown] = forms
    return spelling, changed


def similar_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Find names that are different but can hardly be told apart by a reader.

    These differ only in letters of other alphabets that look like Latin ones, or in blanks, hyphens and underscores.

    Parameters
    ----------
    names : iterable of str
        Names of which no two have the same `name_key`.

    Returns
    -------
    list of tuple of str
        Sorted; the names of a tuple are sorted too.
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[re.sub(r"[\s_-]+", "", name_key(name).translate(_LATIN))].append(name)
    return sorted(tuple(sorted(group)) for group in alike.values() if len(group) > 1)


def describe_similar(names: Sequence[str], *, what: str) -> str:
    """Describe names from `similar_names` for users; `what` is "class" or "group"."""
    shown = [f'"{name}"' + _foreign_letters(name) for name in names]
    plurals = {"class": "classes"}.get(what, what + "s")
    return f"The {plurals} {listed(shown)} look alike but are kept apart. If they are one, rename one of them."


def _foreign_letters(name: str) -> str:
    foreign = dict.fromkeys(unicodedata.name(letter).lower() for letter in name if ord(letter.casefold()[0]) in _LATIN)
    return f" with {', '.join(foreign)}" if foreign else ""


def describe_forms(shown: str, forms: Mapping[str, int], *, what: str) -> str:
    """Describe the forms that became one name, for users.

    Parameters
    ----------
    shown : str
        Spelling that is used.
    forms : Mapping of str to int
        Number of images of each form.
    what : str
        "class" or "group".
    """
    parts = [f"{_visible(form)} ({plural(count, 'image')})" for form, count in forms.items()]
    if len(parts) == 1:
        return f"The {what} {parts[0]} is spelled {shown} here."
    plurals = {"class": "classes"}.get(what, what + "s")
    return f"The {plurals} {listed(parts)} look alike and became the {what} {shown}."


def _visible(form: str) -> str:
    """Return a name in quotation marks, with the codes of characters that a reader cannot tell from others."""
    codes = dict.fromkeys(
        f"U+{ord(character):04X}"
        for character in form
        if _INVISIBLE.match(character)
        or _HYPHENS.match(character)
        or (character != " " and character.isspace())
        or unicodedata.combining(character)
    )
    return f'"{form}"' + (f" with {', '.join(codes)}" if codes else "")
