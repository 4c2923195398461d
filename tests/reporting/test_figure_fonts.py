"""Figures use installed fonts for characters that the default font lacks, and say which ones no font has."""

import io
import re
import warnings
import zipfile

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager

from cfu_core.reporting import figure_fonts
from cfu_core.reporting.figure_fonts import missing_characters_note, use_installed_fonts
from cfu_core.reporting.plot_style import label_axes, new_figure, plain_text, png, svg
from cfu_core.reporting.report import report_html
from cfu_core.reporting.run_plots import figures_zip
from tests.pages.written import write_run

NAME = "菌株"


@pytest.fixture(autouse=True)
def only_the_default_font(monkeypatch):
    """The computer has no other fonts than Matplotlib's own."""
    monkeypatch.setattr(figure_fonts, "findSystemFonts", list)
    monkeypatch.setattr(fontManager, "ttflist", [f for f in fontManager.ttflist if f.name == "DejaVu Sans"])
    fontManager._findfont_cached.cache_clear()
    yield
    fontManager._findfont_cached.cache_clear()


def font_file(folder, characters, family="Made Sans"):
    """Write a font in which each character is a square."""
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((900, 0), (900, 700), (100, 700)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"u{ord(c):04X}" for c in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):04X}" for c in characters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path = folder / f"{family}.ttf"
    builder.save(path)
    return str(path)


def figure_with(name):
    figure, (axes,) = new_figure(3, 2)
    axes.set_xticks([0, 1], [plain_text(name), "b"])
    axes.plot([0, 1], [0, 1], label=plain_text(name))
    axes.legend()
    label_axes(axes, title=plain_text(name))
    return figure


def glyphs_that_matplotlib_misses(figure):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        svg(figure)
        png(figure)
    return {chr(int(m[1])) for w in caught if (m := re.match(r"Glyph (\d+) .*missing", str(w.message)))}


def test_an_installed_font_is_used_for_the_characters_that_it_has(tmp_path):
    fontManager.addfont(font_file(tmp_path, NAME))
    figure = figure_with(f"{NAME} é 12")
    assert use_installed_fonts(figure) == ""
    assert glyphs_that_matplotlib_misses(figure) == set()
    assert use_installed_fonts(figure_with("plain")) == ""


def test_several_fonts_are_combined(tmp_path):
    for family, characters in (("Made Sans", "菌"), ("Made Serif", "株")):
        fontManager.addfont(font_file(tmp_path, characters, family))
    figure = figure_with(NAME)
    assert use_installed_fonts(figure) == ""
    assert glyphs_that_matplotlib_misses(figure) == set()


def test_a_font_that_was_installed_since_the_start_is_found(tmp_path, monkeypatch):
    damaged = tmp_path / "damaged.ttf"
    damaged.write_bytes(b"no font")
    monkeypatch.setattr(figure_fonts, "findSystemFonts", lambda: [str(damaged), font_file(tmp_path, NAME)])
    assert use_installed_fonts(figure_with(NAME)) == ""


def test_a_font_of_placeholders_does_not_count(tmp_path):
    fontManager.addfont(font_file(tmp_path, NAME, "Last Resort"))
    assert use_installed_fonts(figure_with(NAME)) == "".join(sorted(NAME))


@pytest.mark.parametrize("name", [NAME, "세균 a", "コロニー", "菌 é 👍", "e\u0301 \u0e01"])
def test_each_glyph_that_matplotlib_misses_is_reported(name):
    figure = figure_with(name)
    reported = use_installed_fonts(figure)
    assert set(reported) == glyphs_that_matplotlib_misses(figure)
    note = missing_characters_note(reported)
    assert all(f"{c} (U+{ord(c):04X})" in note for c in reported)


def test_the_note_names_the_packages():
    assert "fonts-noto-cjk;" in missing_characters_note(NAME)
    assert "fonts-noto-core;" in missing_characters_note("ก")
    assert "fonts-noto-cjk and fonts-noto-core;" in missing_characters_note("ก菌")
    assert "and 3 more:" in missing_characters_note("".join(map(chr, range(0x4E00, 0x4E0F))))
    assert missing_characters_note("") == ""


@pytest.mark.parametrize("name", ["بكتيريا", "שלום", "می\u200cخواهم", "Æ ß Ж Ω"])
def test_the_default_font_has_arabic_hebrew_cyrillic_and_greek(name):
    figure = figure_with(name)
    assert use_installed_fonts(figure) == ""
    assert glyphs_that_matplotlib_misses(figure) == set()


def test_arabic_letters_are_joined_and_run_from_right_to_left():
    def ink(text):
        figure, (axes,) = new_figure(3, 2)
        axes.set_axis_off()
        axes.text(0, 0.5, text, fontsize=20)
        return png(figure)

    joined, right_to_left = "\u0628\u0628\u0627", "\ufe91\ufe92\ufe8e"  # the same letters, and their joined forms
    assert ink(joined) == ink(right_to_left)


@pytest.mark.filterwarnings("ignore:Glyph")
def test_report_and_archive_name_the_missing_font(small_dataset):
    run = write_run(small_dataset)
    run.rename(NAME)
    html = report_html([run])
    assert "菌 (U+83CC)" in html
    assert "fonts-noto-cjk" in html
    with zipfile.ZipFile(io.BytesIO(figures_zip([run]))) as archive:
        assert "株 (U+682A)" in archive.read("missing_fonts.txt").decode()
