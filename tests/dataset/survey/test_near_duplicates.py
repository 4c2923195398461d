from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cfu_core.dataset.survey.near_duplicates import COLUMNS, find_copies
from cfu_core.imaging import reading
from cfu_core.imaging.signature import SIGNATURE_LENGTH, signature

KINDS = ("re-encoded", "resized", "mirrored", "turned", "cropped")


def colony(seed: int) -> np.ndarray:
    """Cells on an empty frame with light that falls off to the corners; all frames are laid out alike."""
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(-1, 1, 250), np.linspace(-1, 1, 200))
    image = np.repeat((215 - 25 * (across**2 + down**2))[..., None], 3, axis=2).astype(np.uint8)
    for _ in range(70):
        centre = rng.normal((125, 100), 22).astype(int).tolist()
        cv2.circle(image, centre, int(rng.integers(3, 8)), rng.integers(60, 160, 3).tolist(), -1, cv2.LINE_AA)
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def make_copy(image: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """A copy of an image of one kind."""
    height, width = image.shape[:2]
    if kind == "re-encoded":
        return image.copy() if rng.random() < 0.2 else jpeg(image, int(rng.integers(40, 96)))  # the former as PNG
    if kind == "resized":
        way = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        factor = rng.uniform(0.5, 1.5)
        return jpeg(cv2.resize(image, None, fx=factor, fy=factor, interpolation=way), 90)
    if kind == "mirrored":
        return jpeg(cv2.flip(image, int(rng.integers(2))), 90)
    if kind == "turned":
        return jpeg(np.ascontiguousarray(np.rot90(image, int(rng.integers(1, 4)))), 90)
    w, h = (round(side * (0.9 if rng.random() < 0.5 else rng.uniform(0.9, 0.97))) for side in (width, height))
    x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    part = image[y : y + h, x : x + w]
    return jpeg(cv2.resize(part, (width, height)) if rng.random() < 0.5 else np.ascontiguousarray(part), 90)


def signatures(images: list[np.ndarray]) -> np.ndarray:
    return np.stack([signature(image) for image in images])


def pairs(found: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(found["a"], found["b"], strict=True))


@pytest.fixture(scope="module")
def collection() -> list[np.ndarray]:
    """Thirty different images, and a copy of each of the first twenty: 30 of 0, 31 of 1 and so on."""
    rng = np.random.default_rng(0)
    images = [colony(seed) for seed in range(30)]
    return images + [make_copy(images[i], KINDS[i % 5], rng) for i in range(20)]


@pytest.fixture(scope="module")
def marks(collection) -> np.ndarray:
    return signatures(collection)


def test_every_copy_is_found_and_nothing_else(collection, marks):
    found = find_copies(marks, collection.__getitem__)
    assert list(found.columns) == COLUMNS
    assert [found[name].dtype.kind for name in ("a", "b", "score")] == ["i", "i", "f"]
    assert pairs(found) == {(i, 30 + i) for i in range(20)}
    assert found.equals(found.sort_values(["a", "b"], ignore_index=True))
    assert found["score"].between(0.8, 1).all()
    expected = np.array(KINDS * 4)
    kinds = found["kind"].to_numpy()
    assert (kinds == expected)[expected != "re-encoded"].all()
    assert set(kinds[expected == "re-encoded"]) <= {"re-encoded", "identical"}


def test_copies_in_another_light_are_found_and_named(collection, marks):
    """Also turned, and when many images look alike."""
    lightness = cv2.createCLAHE(3, (8, 8))
    changes: list[tuple[str, Callable[[np.ndarray], np.ndarray]]] = [
        ("brighter or darker", lambda image: cv2.convertScaleAbs(image, alpha=0.9)),
        ("brighter or darker", lambda image: np.rot90(cv2.convertScaleAbs(image, alpha=1.1))),
        ("in other colours", lambda image: np.clip(image * [1.15, 1, 0.85], 0, 255).astype(np.uint8)),
        ("in grey", lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)),
        ("in other contrast", lambda image: cv2.merge([lightness.apply(channel) for channel in cv2.split(image)])),
    ]
    changed = [jpeg(np.ascontiguousarray(change(collection[i])), 90) for i, (_, change) in enumerate(changes)]
    images = collection[:30] + changed
    found = find_copies(np.vstack([marks[:30], signatures(changed)]), images.__getitem__)
    expected = {(i, 30 + i): kind for i, (kind, _) in enumerate(changes)}
    assert dict(zip(zip(found["a"], found["b"], strict=True), found["kind"], strict=True)) == expected


def test_only_pairs_with_a_new_image_are_compared(collection, marks):
    new = np.zeros(50, bool)
    new[[3, 34, 41]] = True
    read: set[int] = set()

    def reading_of(row: int) -> np.ndarray:
        read.add(row)
        return collection[row]

    assert pairs(find_copies(marks, reading_of, new=new)) == {(3, 33), (4, 34), (11, 41)}
    assert len(read) < 30
    assert find_copies(marks, reading_of, new=np.zeros(50, bool)).empty


def test_an_incremental_search_finds_the_same_pairs(collection, marks):
    found: set[tuple[int, int]] = set()
    for end in (20, 35, 50):
        new = np.arange(end) >= {20: 0, 35: 20, 50: 35}[end]
        found |= pairs(find_copies(marks[:end], collection.__getitem__, new=new))
    assert found == {(i, 30 + i) for i in range(20)}


def test_unreadable_images_are_ignored(collection, marks):
    marks = marks.copy()
    marks[30] = np.nan
    marks[4, 7] = np.inf
    assert pairs(find_copies(marks, collection.__getitem__)) == {(i, 30 + i) for i in range(20)} - {(0, 30), (4, 34)}


def test_identical_images_are_connected(collection, marks):
    rows = [0, 0, 1, 30, 0]
    found = find_copies(marks[rows], lambda row: collection[rows[row]])
    assert found.loc[found["kind"] == "identical", ["a", "b"]].to_numpy().tolist() == [[0, 1], [0, 4]]
    assert (0, 3) in pairs(found)  # the copy of image 0
    assert not any(2 in pair for pair in pairs(found))


def test_many_copies_of_one_image_are_connected():
    rng = np.random.default_rng(1)
    images = [make_copy(colony(5), KINDS[i % 5], rng) for i in range(40)]
    reached, found = {0}, pairs(find_copies(signatures(images), images.__getitem__))
    for _ in images:
        reached |= {row for pair in found if reached & set(pair) for row in pair}
    assert reached == set(range(40))


def test_many_copies_in_each_of_several_lights_are_connected_with_few_comparisons(collection):
    equaliser = cv2.createCLAHE(3, (8, 8))
    image = collection[0]
    enhanced = cv2.merge([equaliser.apply(channel) for channel in cv2.split(image)])
    lights = [image, enhanced, cv2.convertScaleAbs(image, alpha=0.8), enhanced[:, ::-1]]
    images = [jpeg(np.ascontiguousarray(light), 70 + i) for light in lights for i in range(12)]
    found = find_copies(signatures(images), images.__getitem__)
    links = coo_array((np.ones(len(found)), (found["a"], found["b"])), shape=(48, 48))
    assert connected_components(links, directed=False)[0] == 1
    assert len(found) < 48 * 4


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_images(count, collection, marks):
    assert find_copies(marks[:count], collection.__getitem__).empty


def test_thousands_of_blank_images_do_not_make_millions_of_pairs():
    blank = np.full((20, 30, 3), 200, np.uint8)
    reads = []
    found = find_copies(np.repeat(signature(blank)[None], 3000, axis=0), lambda row: reads.append(row) or blank)
    assert len(found) == 2999
    assert set(found["kind"]) == {"identical"}
    assert len(reads) <= 2 * 3000


def test_not_all_of_many_similar_images_are_compared():
    rng = np.random.default_rng(0)
    alike = signature(colony(0)) + rng.normal(0, 0.3, (600, SIGNATURE_LENGTH)).astype(np.float32)
    blanks = rng.integers(0, 256, (600, 1, 1, 3), np.uint8)
    steps: list[tuple[int, int]] = []
    reads = []

    def read(row: int) -> np.ndarray:
        reads.append(row)
        return np.ascontiguousarray(np.broadcast_to(blanks[row], (16, 16, 3)))

    find_copies(alike, read, progress=lambda *step: steps.append(step))
    assert len(reads) < 600 * 16
    assert steps[-1] == (600, 600)


def test_progress_counts_every_new_image(collection, marks):
    marks = marks.copy()
    marks[5] = np.nan
    marks[9] = marks[8]
    new = np.arange(50) % 3 > 0
    steps: list[tuple[int, int]] = []
    find_copies(marks, collection.__getitem__, new=new, progress=lambda *step: steps.append(step))
    assert steps == sorted(steps)
    assert {total for _, total in steps} == {new.sum()}
    assert steps[-1][0] == new.sum()


def test_what_progress_or_reading_raises_ends_the_search(collection, marks):
    class Enough(Exception):
        pass

    def enough(*_: object) -> np.ndarray:
        raise Enough

    with pytest.raises(Enough):
        find_copies(marks, collection.__getitem__, progress=enough)
    with pytest.raises(Enough):
        find_copies(marks, enough)


def test_arrays_of_another_shape_are_a_programming_error(marks):
    with pytest.raises(ValueError, match=rf"\(50, {SIGNATURE_LENGTH - 1}\)"):
        find_copies(marks[:, 1:], lambda row: colony(row))
    with pytest.raises(ValueError, match=r"new \(49,\)"):
        find_copies(marks, lambda row: colony(row), new=np.ones(49, bool))


def test_distinct_drawings_are_not_reported(drawn_shapes):
    images = [reading.read(path) for path in sorted(drawn_shapes.glob("*/*.png"))]
    assert find_copies(signatures(images), images.__getitem__).empty


# --- real images


def small_images(folder: Path, pattern: str) -> tuple[list[str], list[np.ndarray]]:
    paths = sorted(folder.glob(pattern))
    return [path.stem for path in paths], [reading.read(path) for path in paths]


def reduced(image: np.ndarray) -> np.ndarray:
    """As a thumbnail: what a survey keeps of an image."""
    scale = min(1.0, 256 / max(image.shape))
    return jpeg(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), 85)


def recall_and_precision(
    images: list[np.ndarray], copy: Callable[[np.ndarray, str, np.random.Generator], np.ndarray], seed: int
) -> tuple[float, float, pd.DataFrame]:
    """Of 40 copies planted among images: eight of each kind."""
    rng = np.random.default_rng(seed)
    sources = rng.choice(len(images), 40, replace=False)
    everything = images + [copy(images[source], KINDS[i % 5], rng) for i, source in enumerate(sources)]
    pictures = [reduced(image) for image in everything]
    found = find_copies(signatures(pictures), pictures.__getitem__)
    true = {(int(source), len(images) + i) for i, source in enumerate(sources)}
    hits = len(true & pairs(found))
    return hits / len(true), hits / max(1, len(found)), found


@pytest.mark.real
def test_copies_planted_among_real_images_that_are_all_alike_are_found(real_images):
    _, images = small_images(real_images / "blood_lineages", "*/*.jpg")
    assert len(images) == 728
    recall, precision, found = recall_and_precision(images, make_copy, seed=1)
    assert recall >= 0.95
    assert precision >= 0.95
    assert found["kind"].isin(KINDS).sum() >= 0.9 * len(found)


@pytest.mark.real
def test_real_images_of_many_sizes_hold_no_copies_but_second_photographs(real_images):
    names, images = small_images(real_images / "leukocytes_imbalanced", "*/*.jpg")
    found = find_copies(signatures(images), lambda row: reduced(images[row]))
    # looked at by eye: the same cell, photographed twice, the frames a little shifted
    twice = {(204, 277), (205, 276), (223, 263), (227, 260), (230, 257), (243, 250), (244, 247)}
    twice |= {(382, 395), (384, 393), (386, 391)}
    matched = {tuple(sorted(int(names[row].split("_")[1]) for row in pair)) for pair in pairs(found)}
    assert matched <= twice
    assert len(matched) >= 8
