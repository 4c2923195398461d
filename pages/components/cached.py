"""Results of the core in Streamlit's caches, keyed by digests."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from cfu_core import PROJECT
from cfu_core.dataset.audit.audit import audit, compare_classes
from cfu_core.dataset.audit.checks import Audit, Check
from cfu_core.dataset.audit.image_table import build_image_table
from cfu_core.dataset.audit.limits import read_limits
from cfu_core.dataset.catalog import dataset_folder, load_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.splitting import Split, split_of
from cfu_core.dataset.survey.survey import Survey, load_survey, survey_version
from cfu_core.dataset.survey.survey import thumbnail as survey_thumbnail
from cfu_core.errors import CfuError
from cfu_core.imaging.combined_planes import combinations
from cfu_core.imaging.contrast_effect import Effect, effect, histogram
from cfu_core.imaging.cropping import Box, crop_to
from cfu_core.imaging.decoding import open_pictures
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.measures import shrink
from cfu_core.imaging.reading import decode
from cfu_core.imaging.recipe import Enhanced, Recipe, adjust_contrast, enhance, resize
from cfu_core.imaging.sample_range import SampleRange
from pages.components.edit_lock import LONGEST_WAIT, edit_lock

PREVIEW_SIDE = 320  # pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A dataset with its split and survey, its audit without the comparison of classes, and a table of all of these."""

    data: Dataset
    split: Split
    survey: Survey
    audit: Audit
    table: pd.DataFrame

    @property
    def kinds(self) -> dict[str, str]:
        """Titles of the findings by kind."""
        return {finding.kind: finding.title for finding in self.audit.findings if finding.paths}

    def titles(self, row: int) -> list[str]:
        """Return the titles of the findings about an image, except that it has no class, which is shown anyway."""
        kinds = dict.fromkeys(self.table["findings"].iat[row].split())
        return [self.kinds.get(kind, kind) for kind in kinds if kind != "unlabelled"]


def dataset(identifier: str) -> Dataset:
    """Return an imported dataset, read once per version of its files, with every edit that the session has made.

    An edit that takes long to save, because another process has locked the images, is not waited for but reported.
    """
    lock = edit_lock()
    if lock.acquire(timeout=LONGEST_WAIT):
        lock.release()
    else:
        st.toast("An edit is still being saved. This page may not show it yet.", icon=":material/hourglass_top:")
    summary = dataset_folder(identifier) / "dataset.json"
    version = summary.stat().st_mtime_ns if summary.exists() else 0
    return _dataset(identifier, version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _dataset(identifier: str, version: int) -> Dataset:  # noqa: ARG001 - the version is part of the key
    return load_dataset(identifier)


def split(data: Dataset, seed: int) -> Split:
    """Return the stored split of a dataset."""
    return _split(data.id, data.digest, data.version, seed, data)


@st.cache_resource(max_entries=8, show_spinner="Splitting…")
def _split(identifier: str, digest: str, version: int, seed: int, _data: Dataset) -> Split:  # noqa: ARG001
    return split_of(_data, seed=seed)


def view(data: Dataset, seed: int) -> View:
    """Return a dataset with split, survey and audit; updated after an edit and when the survey has progressed."""
    limits = tuple(sorted(read_limits(data.id).items()))
    cached_view = _view(data.id, data.digest, data.version, survey_version(data.id), seed, limits, data)
    return replace(cached_view, data=data)  # equal images can result from different edits, and the log must be this one


@st.cache_resource(max_entries=6, show_spinner=False)
def _view(
    identifier: str,
    digest: str,
    version: int,
    surveyed: int,
    seed: int,
    limits: tuple[tuple[str, float], ...],
    _data: Dataset,
) -> View:
    found = _survey(identifier, digest, version, surveyed, _data)
    parts = split(_data, seed)
    checks = audit(_data, found, parts, dict(limits), comparisons=())
    table = build_image_table(_data, parts, found, checks.findings)
    return View(data=_data, split=parts, survey=found, audit=checks, table=table)


@st.cache_resource(max_entries=3, show_spinner=False)
def _survey(identifier: str, digest: str, version: int, surveyed: int, _data: Dataset) -> Survey:  # noqa: ARG001
    return load_survey(_data)


def whole_audit(view: View) -> Audit:
    """Return the audit of a view with the comparison of classes, which takes about a second and only Audit shows."""
    data = view.data
    if data.images.empty:
        return view.audit
    compared = _comparisons(data.id, data.digest, data.version, survey_version(data.id), data)
    return Audit(checks=(*view.audit.checks, *compared))


@st.cache_resource(max_entries=3, show_spinner="Comparing the classes…")
def _comparisons(identifier: str, digest: str, version: int, surveyed: int, _data: Dataset) -> tuple[Check, ...]:
    """Compare the classes, once for each version of the dataset, whatever the limits are."""
    return compare_classes(_data, _survey(identifier, digest, version, surveyed, _data))


def thumbnail(data: Dataset, row: int) -> bytes:
    """Return a small JPEG of one image."""
    return _thumbnail(data.images["key"].iat[row], data, row)


@st.cache_data(max_entries=2000, show_spinner=False)
def _thumbnail(key: str, _data: Dataset, _row: int) -> bytes:  # noqa: ARG001
    return survey_thumbnail(_data, _row)


def image(data: Dataset, row: int) -> np.ndarray:
    """Return one decoded image."""
    return _image(data.images["key"].iat[row], data, row)


@st.cache_resource(max_entries=8, show_spinner=False)
def _image(key: str, _data: Dataset, _row: int) -> np.ndarray:  # noqa: ARG001
    return _data.read_image(_row)


class PicturesOfFile(NamedTuple):
    """Length and name of each axis along which a file has several pictures, and combined pictures of them."""

    axes: tuple[tuple[int, str], ...]
    combined: list[int]


def pictures_of_file(data: Dataset, row: int) -> PicturesOfFile:
    """Return what the pictures of the file of an image differ in, and which combined pictures can be made of them."""
    return _pictures_of_file(data.images["digest"].iat[row], data, row)


@st.cache_data(max_entries=300, show_spinner=False)
def _pictures_of_file(digest: str, _data: Dataset, _row: int) -> PicturesOfFile:  # noqa: ARG001
    pictures = open_pictures(_data.read_bytes(_row))
    axes = tuple(zip(pictures.shape, pictures.axes, strict=True)) if pictures else ()
    return PicturesOfFile(axes, combinations(pictures))


def preview(data: Dataset, row: int, *, samples: SampleRange | None, plane: int | None) -> bytes:
    """Return a small JPEG of one image with another range of samples, or of another picture of its file."""
    return _preview(data.images["digest"].iat[row], samples, plane, data, row)


@st.cache_data(max_entries=50, show_spinner=False)
def _preview(digest: str, samples: SampleRange | None, plane: int | None, _data: Dataset, _row: int) -> bytes:  # noqa: ARG001
    pixels = decode(_data.read_bytes(_row), name=_data.images["path"].iat[_row], samples=samples, plane=plane)
    return encode_jpeg(shrink(pixels, PREVIEW_SIDE))


def enhanced(data: Dataset, row: int, recipe: Recipe) -> Enhanced:
    """Return one image after all steps except the resize."""
    return _enhanced(data.images["key"].iat[row], data.box(row), recipe.digest, data, row, recipe)


@st.cache_resource(max_entries=8, show_spinner=False)
def _enhanced(key: str, box: Box | None, recipe_digest: str, _data: Dataset, _row: int, _recipe: Recipe) -> Enhanced:  # noqa: ARG001
    plain = replace(_recipe, contrast="none")
    if plain == _recipe:
        return enhance(image(_data, _row), _recipe, box)
    # the steps before the contrast step do not change with its settings
    return enhanced(_data, _row, plain)._replace(image=contrasted(_data, _row, _recipe))


class Small(NamedTuple):
    """A small JPEG of a processed image, and measures of its contrast at full size."""

    picture: bytes
    effect: Effect


def small(data: Dataset, row: int, recipe: Recipe, side: int) -> Small:
    """Return one image processed by a recipe at full size and then reduced to at most `side` pixels."""
    return _small(data.images["key"].iat[row], data.box(row), recipe.digest, side, data, row, recipe)


@st.cache_data(max_entries=300, show_spinner=False)
def _small(
    key: str,  # noqa: ARG001
    box: Box | None,  # noqa: ARG001
    recipe_digest: str,  # noqa: ARG001
    side: int,
    _data: Dataset,
    _row: int,
    _recipe: Recipe,
) -> Small:
    picture = contrasted(_data, _row, _recipe)
    return Small(encode_jpeg(shrink(picture, side)), effect(picture))


def untouched_pixels(data: Dataset, row: int, recipe: Recipe) -> np.ndarray:
    """Return the decoded image, cropped to the square that a recipe keeps."""
    return crop_to(image(data, row), enhanced(data, row, replace(recipe, contrast="none")).frame)


def untouched(data: Dataset, row: int, recipe: Recipe, side: int) -> bytes:
    """Return `untouched_pixels` as a JPEG of at most `side` pixels."""
    plain = replace(recipe, contrast="none")
    return _untouched(data.images["key"].iat[row], data.box(row), plain.digest, side, data, row, plain)


@st.cache_data(max_entries=50, show_spinner=False)
def _untouched(
    key: str,  # noqa: ARG001
    box: Box | None,  # noqa: ARG001
    recipe_digest: str,  # noqa: ARG001
    side: int,
    _data: Dataset,
    _row: int,
    _recipe: Recipe,
) -> bytes:
    return encode_jpeg(shrink(untouched_pixels(_data, _row, _recipe), side))


class Lightness(NamedTuple):
    """The histogram of the lightness of an image, and measures of its contrast."""

    histogram: np.ndarray
    effect: Effect


def lightness(data: Dataset, row: int, recipe: Recipe, *, untouched: bool = False) -> Lightness:
    """Measure one image after all steps except the resize, or its `untouched_pixels`."""
    recipe = replace(recipe, contrast="none") if untouched else recipe
    return _lightness(data.images["key"].iat[row], data.box(row), recipe.digest, untouched, data, row, recipe)


@st.cache_data(max_entries=300, show_spinner=False)
def _lightness(
    key: str,  # noqa: ARG001
    box: Box | None,  # noqa: ARG001
    recipe_digest: str,  # noqa: ARG001
    untouched: bool,
    _data: Dataset,
    _row: int,
    _recipe: Recipe,
) -> Lightness:
    pixels = untouched_pixels(_data, _row, _recipe) if untouched else enhanced(_data, _row, _recipe).image
    return Lightness(histogram(pixels), effect(pixels))


def strip(data: Dataset, rows: Sequence[int], recipe: Recipe, side: int) -> bytes:
    """Return a JPEG of several processed images side by side, each a square of `side` pixels."""
    return encode_jpeg(np.hstack([resize(contrasted(data, row, recipe), side) for row in rows]))


def contrasted(data: Dataset, row: int, recipe: Recipe) -> np.ndarray:
    """Return one image after all steps except the resize; only the steps before the contrast step are cached."""
    return adjust_contrast(enhanced(data, row, replace(recipe, contrast="none")).image, recipe)


@st.cache_data(show_spinner="Measuring the networks…", max_entries=16)
def networks(classes: int) -> pd.DataFrame:
    """Return Table 1 for networks with this number of classes."""
    return pd.DataFrame(_run_command("networks", "--classes", str(classes))["table_1"])


@st.cache_data(show_spinner=False)
def device() -> str:
    """Return the name of the device that would train on this computer."""
    return _run_command("device")["device"]


def _run_command(*arguments: str) -> dict[str, Any]:
    """Return the JSON output of a shell command, run in another process so that this one does not import torch."""
    result = subprocess.run(
        [sys.executable, "-m", "cfu_core", *arguments, "--json"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise CfuError(
            f"“{' '.join(arguments)}” failed: {result.stderr.strip()[-300:] or 'the process ended unexpectedly'}"
        )
    return json.loads(result.stdout)
