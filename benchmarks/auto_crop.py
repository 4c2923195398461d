"""Accuracy of the automatic crop.

    python -m benchmarks.auto_crop [--seed N] [--limit N]
    python -m benchmarks.auto_crop --annotated FOLDER
    python -m benchmarks.auto_crop --real FOLDER --sheet OUT.png [--seed N]

The first form draws the frames of the demo and compares the detected box with the box of the drawn cells, by
intersection over union; the tenth of the frames with the lowest confidence is also reported separately. The second form
does the same for photographs of stained blood cells, with the boxes of ``auto_crop_boxes.csv``, which a person drew
around whole cells (nucleus and cytoplasm). FOLDER contains ``blood_types_8`` (P. Acevedo et al., Mendeley Data
snkd93bnjr) and ``leukocytes_imbalanced`` (apple2373/BCCD). The settings of the crop were chosen on the part "tuning",
not on the part "held out". The third form marks the cropped squares on a random sample of real images, for counting
errors by eye, and lists the images.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from cfu_core.dataset.demo.demo_dataset import plan_demo
from cfu_core.dataset.demo.frame import draw_frame
from cfu_core.dataset.importing.file_names import is_image
from cfu_core.imaging.cropping import Box, locate_colony, square_around
from cfu_core.imaging.reading import read

MARGIN = 0.05  # default of the recipe
SAMPLE, COLUMNS = 100, 10
TILE = 220  # pixels
BOXES = Path(__file__).with_name("auto_crop_boxes.csv")


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = max(0, min(one.right, other.right) - max(one.left, other.left))
    height = max(0, min(one.bottom, other.bottom) - max(one.top, other.top))
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)


def measure(seed: int, limit: int | None) -> pd.DataFrame:
    """Return label, overlap and confidence of each frame; both numbers are 0 if no colony is found."""
    plan = plan_demo(seed=seed)
    if limit is not None and limit < len(plan):
        plan = plan.sample(limit, random_state=seed)

    def one(row: tuple[str, int, int]) -> tuple[str, float, float]:
        label, number, dish = row
        frame = draw_frame(label, seed=seed, number=number, dish=dish)
        colony = locate_colony(frame.image)
        return label, overlap(colony.box, Box(*frame.box)) if colony else 0.0, colony.confidence if colony else 0.0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = pool.map(one, zip(plan["label"], plan["number"], plan["dish"], strict=True))
        return pd.DataFrame(rows, columns=["label", "overlap", "confidence"])


def measure_annotated(folder: Path) -> pd.DataFrame:
    """Return collection, part, overlap and confidence of each image with a box drawn by a person."""
    boxes = pd.read_csv(BOXES)
    boxes["collection"] = boxes["image"].str.split("/").str[0]
    found = [locate_colony(read(folder / image)) for image in boxes["image"]]
    drawn = boxes[["left", "top", "right", "bottom"]].itertuples(index=False)
    boxes["overlap"] = [
        overlap(colony.box, Box(*box)) if colony else 0.0 for colony, box in zip(found, drawn, strict=True)
    ]
    boxes["confidence"] = [colony.confidence if colony else 0.0 for colony in found]
    return boxes


def report(name: str, found: pd.Series) -> None:
    """Print the median overlap of some frames and the share below 0.4."""
    print(f"{name:<33} {len(found):4d}   median {found.median():.3f}   below 0.4: {(found < 0.4).mean():.1%}")


def sheet(folder: Path, seed: int) -> np.ndarray:
    """Return a sheet with a random sample of images and their cropped squares, and print the names of the images."""
    paths = sorted(path for path in folder.rglob("*") if is_image(path.name))
    chosen = np.random.default_rng(seed).choice(len(paths), min(SAMPLE, len(paths)), replace=False)
    tiles = []
    for number, index in enumerate(sorted(chosen)):
        image = read(paths[index])
        colony = locate_colony(image)
        caption = f"{number} {colony.confidence:.2f}" if colony else f"{number} none"
        print(f"{caption:<8} {paths[index].relative_to(folder)}")
        tiles.append(tile(image, square_around(colony.box, MARGIN) if colony else None, caption))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    return np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


def tile(image: np.ndarray, square: Box | None, text: str) -> np.ndarray:
    """Fit an image into a square tile and draw a box and a caption."""
    scale = TILE / max(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:TILE, :TILE]
    canvas = np.full((TILE, TILE, 3), 255, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    if square is not None:
        left, top, right, bottom = (round(edge * scale) for edge in square)
        cv2.rectangle(canvas, (left, top), (right - 1, bottom - 1), (0, 0, 255), 1)
    for colour, thickness in (((255, 255, 255), 3), ((0, 0, 0), 1)):
        cv2.putText(canvas, text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, thickness, cv2.LINE_AA)
    return canvas


def report_least_confident(images: pd.DataFrame) -> None:
    """Print the results for the tenth of the images with the lowest confidence, and for the others."""
    least = images["confidence"].rank(method="first") <= len(images) / 10
    report("least confident", images["overlap"][least])
    report("all others", images["overlap"][~least])


def main() -> None:
    """Print the results for the demo or the annotated images, or write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="maximum number of demo frames")
    parser.add_argument("--annotated", type=Path, help="the folder with the images of auto_crop_boxes.csv")
    parser.add_argument("--real", type=Path, help="a folder of images")
    parser.add_argument("--sheet", type=Path, help="PNG file for the sheet of real images")
    arguments = parser.parse_args()
    if (arguments.real is None) != (arguments.sheet is None):
        parser.error("--real and --sheet go together")
    if arguments.real:
        cv2.imwrite(str(arguments.sheet), sheet(arguments.real, arguments.seed)[..., ::-1])
        return
    if arguments.annotated:
        images = measure_annotated(arguments.annotated)
        for (collection, part), of_part in images.groupby(["collection", "part"]):
            report(f"{collection}, {part}", of_part["overlap"])
        report_least_confident(images)
        return
    frames = measure(arguments.seed, arguments.limit)
    for label, of_label in frames.groupby("label"):
        report(label, of_label["overlap"])
    report("all", frames["overlap"])
    report_least_confident(frames)


if __name__ == "__main__":
    main()
