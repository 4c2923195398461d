"""Copies that a survey finds among images, by the kind of copy.

    python -m benchmarks.copies FOLDER [--copies 10] [--seed N] [--pictures DIR]

Copies of twelve kinds are planted among the images of FOLDER, each of another image: six in another light, and six that
are encoded, resized, oriented, cropped or blurred. All of them are imported and surveyed in a temporary home folder. A
pair counts as right if it joins an image and its planted copy. Images of FOLDER can be copies of each other; pairs of
different images are therefore listed, and written to DIR as pictures to look at.
"""

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.importing.source import import_source
from cfu_core.dataset.survey.survey import load_survey, survey
from cfu_core.imaging.contrast import clahe, tiles_that_fit
from cfu_core.imaging.encoding import encode_jpeg
from cfu_core.imaging.reading import decode, read

QUALITY = 92  # of planted copies; the re-encoded ones have 60
TILE = 240  # pixels

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def scaled(image: np.ndarray, factors: float | np.ndarray) -> np.ndarray:
    """Multiply all channels by one factor, or each by its own."""
    return np.clip(np.rint(image * factors), 0, 255).astype(np.uint8)


def gamma(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply a gamma of 0.8 or 1.25."""
    return np.rint(255 * (image / 255) ** rng.choice([0.8, 1.25])).astype(np.uint8)


def grey(image: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    """Convert to grey by the weights of BT.601."""
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def enhanced(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply CLAHE with a clip limit of 2 to 4 and 8 x 8 tiles."""
    return clahe(image, clip_limit=rng.uniform(2, 4), tiles=tiles_that_fit(image.shape, 8))


def cropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut 15 % off each side, at a random place."""
    height, width = (round(0.85 * side) for side in image.shape[:2])
    top, left = rng.integers(image.shape[0] - height + 1), rng.integers(image.shape[1] - width + 1)
    return image[top : top + height, left : left + width]


CHANGES: dict[str, Change] = {
    "brightness x 1.1": lambda image, _: scaled(image, 1.1),
    "brightness x 0.9": lambda image, _: scaled(image, 0.9),
    "gamma 0.8 or 1.25": gamma,
    "white balance": lambda image, rng: scaled(image, rng.uniform(0.85, 1.15, 3)),
    "grey": grey,
    "CLAHE": enhanced,
    "JPEG quality 60": lambda image, _: decode(encode_jpeg(image, 60), name="The copy"),
    "half the size": lambda image, _: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "mirrored": lambda image, _: image[:, ::-1],
    "turned by 90 degrees": lambda image, _: np.rot90(image),
    "cropped by 15 %": cropped,
    "blurred": lambda image, _: cv2.GaussianBlur(image, (0, 0), 1.5),
}


def main() -> None:
    """Plant, survey, and print a Markdown table with one row for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=10, help="planted copies of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the pairs of different images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cfu-copies-") as work:
        images = Path(work) / "images"
        planted = plant(options.folder, images, options.copies, options.seed)
        found, seconds = find(images, Path(work) / "home")
        print_table(planted, found)
        count = sum(1 for path in images.rglob("*") if path.is_file())
        print(f"\nSearch among {count:,} images: {seconds:.1f} s. Different images reported as copies:")
        for number, pair in enumerate(wrong_pairs(planted, found).itertuples()):
            print(f"- {pair.path_a}, {pair.path_b}: {pair.kind}, score {pair.score:.2f}")
            if options.pictures:
                write_picture(options.pictures / f"{number:03d}.jpg", images / pair.path_a, images / pair.path_b)


def plant(folder: Path, images: Path, copies: int, seed: int) -> pd.DataFrame:
    """Write the images of a folder and the copies; return path, source and change of each copy."""
    rng = np.random.default_rng(seed)
    paths = sorted(path for path in folder.rglob("*") if is_image(path.name))
    files = [Path("images") / path.name if path.parent == folder else path.relative_to(folder) for path in paths]
    for path, file in zip(paths, files, strict=True):
        (images / file).parent.mkdir(parents=True, exist_ok=True)
        (images / file).write_bytes(path.read_bytes())
    changes = list(CHANGES) * copies
    sources = rng.choice(len(files), len(changes), replace=len(changes) > len(files))
    rows = []
    for number, (change, source) in enumerate(zip(changes, sources, strict=True)):
        copy = np.ascontiguousarray(CHANGES[change](read(paths[source]), rng))
        path = files[source].parent / f"copy {number}.jpg"
        (images / path).write_bytes(encode_jpeg(copy, QUALITY))
        rows.append((path.as_posix(), files[source].as_posix(), change))
    return pd.DataFrame(rows, columns=["path", "source", "change"])


def find(images: Path, home: Path) -> tuple[pd.DataFrame, float]:
    """Import and survey a folder; return the pairs of copies and the seconds of the search for them."""
    os.environ["CFU_HOME"] = str(home)
    dataset = import_source(images, name="copies")
    started: dict[str, float] = {}

    def progress(phase: str) -> Callable[[int, int], None]:
        started[phase] = time.perf_counter()
        return lambda _done, _total: None

    survey(dataset, progress=progress)
    return load_survey(dataset).copies, started["Drawing the map"] - started["Finding copies"]


def originals(planted: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return the image of FOLDER that each image of a pair shows: itself, or the source of a copy."""
    source = planted.set_index("path")["source"]
    return found[["path_a", "path_b"]].apply(lambda paths: paths.map(source).fillna(paths))


def wrong_pairs(planted: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that show different images of FOLDER."""
    shown = originals(planted, found)
    return found[shown["path_a"] != shown["path_b"]]


def print_table(planted: pd.DataFrame, found: pd.DataFrame) -> None:
    """Print by change how many copies are in a pair with their source, and as which kinds."""
    kinds = {frozenset((pair.path_a, pair.path_b)): pair.kind for pair in found.itertuples()}
    planted = planted.assign(
        kind=[kinds.get(frozenset(pair)) for pair in zip(planted["path"], planted["source"], strict=True)]
    )
    print("| copies | planted | found | named |\n| --- | ---: | ---: | --- |")
    for change, rows in planted.groupby("change", sort=False):
        named = ", ".join(f"{kind} {number}" for kind, number in Counter(rows["kind"].dropna()).most_common())
        print(f"| {change} | {len(rows)} | {rows['kind'].count()} | {named} |")
    wrong = len(wrong_pairs(planted, found))
    print(f"\nRecall {planted['kind'].count() / len(planted):.3f}, precision {1 - wrong / max(1, len(found)):.3f}")


def write_picture(file: Path, one: Path, other: Path) -> None:
    """Write two images side by side."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tiles = [cv2.resize(read(path), (TILE, TILE), interpolation=cv2.INTER_AREA) for path in (one, other)]
    file.write_bytes(encode_jpeg(np.hstack(tiles), QUALITY))


if __name__ == "__main__":
    main()
