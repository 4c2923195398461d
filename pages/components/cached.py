"""The core behind Streamlit's caches, keyed by digests; nothing here computes."""

import json
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import streamlit as st

from cfu_core.dataset.catalog import Dataset, dataset_folder, load_dataset
from cfu_core.dataset.splitting import Split, split_of
from cfu_core.errors import CfuError
from cfu_core.imaging.recipe import Enhanced, Recipe, enhance
from cfu_core.jobs.worker import project_folder

THUMBNAIL_SIDE = 256  # pixels of the longer side


def dataset(identifier: str) -> Dataset:
    """An imported dataset, read once per version of its files."""
    summary = dataset_folder(identifier) / "dataset.json"
    version = summary.stat().st_mtime_ns if summary.exists() else 0
    return _dataset(identifier, version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _dataset(identifier: str, version: int) -> Dataset:  # noqa: ARG001 - the version is part of the key
    return load_dataset(identifier)


def split(data: Dataset, seed: int) -> Split:
    """The stored split of a dataset."""
    return _split(data.id, data.digest, seed, data)


@st.cache_resource(max_entries=16, show_spinner="Splitting…")
def _split(identifier: str, digest: str, seed: int, _data: Dataset) -> Split:  # noqa: ARG001
    return split_of(_data, seed=seed)


def thumbnail(data: Dataset, row: int) -> bytes:
    """A small JPEG of one image."""
    return _thumbnail(data.images["digest"].iat[row], data, row)


@st.cache_data(max_entries=2000, show_spinner=False)
def _thumbnail(digest: str, _data: Dataset, _row: int) -> bytes:  # noqa: ARG001
    picture = _data.read_image(_row)
    scale = THUMBNAIL_SIDE / max(picture.shape[:2])
    return jpeg(
        cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    )


def image(data: Dataset, row: int) -> np.ndarray:
    """One decoded image."""
    return _image(data.images["digest"].iat[row], data, row)


@st.cache_resource(max_entries=24, show_spinner=False)
def _image(digest: str, _data: Dataset, _row: int) -> np.ndarray:  # noqa: ARG001
    return _data.read_image(_row)


def enhanced(data: Dataset, row: int, recipe: Recipe) -> Enhanced:
    """One image after crop and CLAHE."""
    return _enhanced(data.images["digest"].iat[row], recipe.digest, data, row, recipe)


@st.cache_resource(max_entries=64, show_spinner=False)
def _enhanced(digest: str, recipe_digest: str, _data: Dataset, _row: int, _recipe: Recipe) -> Enhanced:  # noqa: ARG001
    return enhance(image(_data, _row), _recipe)


def jpeg(picture: np.ndarray) -> bytes:
    """RGB uint8 as JPEG bytes, which Streamlit passes through as they are."""
    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


@st.cache_resource(show_spinner="Measuring the networks…", max_entries=16)
def networks(classes: int) -> dict[str, Any]:
    """Table 1 and this computer's device. In a process of its own: this one stays free of torch."""
    done = subprocess.run(
        [sys.executable, "-m", "cfu_core", "networks", "--classes", str(classes), "--json"],
        cwd=project_folder(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CfuError(f"The networks could not be measured: {done.stderr.strip()[-300:] or 'the process ended'}")
    return json.loads(done.stdout)
