"""The demo is reproducible, has the numbers of the published study, and colour alone does not separate its classes."""

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cfu_core.dataset.demo import demo_dataset
from cfu_core.dataset.demo.canvas import FRAME_HEIGHT, FRAME_WIDTH, MARGIN, empty_layer
from cfu_core.dataset.demo.colony import draw_colony
from cfu_core.dataset.demo.colony_types import CFU_TYPES
from cfu_core.dataset.demo.demo_dataset import PAPER_COUNTS, plan_demo, write_demo
from cfu_core.dataset.demo.frame import draw_frame
from cfu_core.dataset.importing.source import scan_source
from cfu_core.dataset.table import BOX_COLUMNS
from cfu_core.errors import DatasetError, StorageError

FEW = {"CFU-E": 2, "CFU-GM": 1, "CFU-PreB": 2}
TABLE_2 = {"CFU-E": (146, 31, 31), "CFU-GM": (277, 60, 59), "CFU-PreB": (87, 18, 19)}


@dataclass(frozen=True)
class Sample:
    """What is measured on some frames of the default demo, drawn at full size."""

    labels: np.ndarray  # (n,) of str
    boxes: np.ndarray  # (n, 4) left, top, right, bottom
    colours: np.ndarray  # (n, 6) means and standard deviations of R, G, B
    detail: np.ndarray  # (n, 2) mean strength of detail inside the box and outside it


def measure(row: tuple[str, int, int]) -> tuple[tuple[int, int, int, int], np.ndarray, tuple[float, float]]:
    label, number, dish = row
    frame = draw_frame(label, seed=0, number=number, dish=dish)
    assert frame.image.shape == (FRAME_HEIGHT, FRAME_WIDTH, 3)
    assert frame.image.dtype == np.uint8
    means, deviations = cv2.meanStdDev(frame.image)
    small = cv2.resize(frame.image[..., 1], None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    detail = np.abs(small - cv2.GaussianBlur(small.astype(np.float32), (0, 0), 2))
    left, top, right, bottom = frame.box
    inside = np.zeros(small.shape, bool)
    inside[top // 4 : bottom // 4, left // 4 : right // 4] = True
    return frame.box, np.concatenate([means, deviations]).ravel(), (detail[inside].mean(), detail[~inside].mean())


@pytest.fixture(scope="module")
def sample() -> Sample:
    """120 frames, in the proportions of the classes."""
    plan = plan_demo().groupby("label", group_keys=False).sample(frac=120 / 728, random_state=0)
    rows = list(zip(plan["label"], plan["number"], plan["dish"], strict=True))
    with ThreadPoolExecutor(2) as pool:
        boxes, colours, detail = zip(*pool.map(measure, rows), strict=True)
    labels = np.array([label for label, _, _ in rows])
    return Sample(labels, np.array(boxes), np.array(colours), np.array(detail))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- frames ----


@pytest.mark.parametrize("cfu_type", CFU_TYPES)
def test_a_frame_depends_on_its_arguments_alone(cfu_type: str) -> None:
    first = draw_frame(cfu_type, seed=4, number=7, dish=2)
    np.random.default_rng().random()
    again = draw_frame(cfu_type, seed=4, number=7, dish=2)
    assert np.array_equal(first.image, again.image)
    assert first.box == again.box
    other = draw_frame(cfu_type, seed=5, number=7, dish=2)
    assert not np.array_equal(first.image, other.image)


def test_number_and_dish_each_change_the_frame() -> None:
    base = draw_frame("CFU-PreB", seed=1, number=1, dish=1)
    assert draw_frame("CFU-PreB", seed=1, number=2, dish=1).box != base.box
    assert not np.array_equal(draw_frame("CFU-PreB", seed=1, number=1, dish=2).image, base.image)


def test_frames_of_one_dish_share_their_light() -> None:
    def tint(number: int, dish: int) -> np.ndarray:
        mean = draw_frame("CFU-E", seed=3, number=number, dish=dish).image[::8, ::8].reshape(-1, 3).mean(axis=0)
        return mean / mean.mean()

    tints = np.array([[tint(3 * dish + number, dish) for number in range(3)] for dish in range(4)])  # (4, 3, 3)
    assert tints.std(axis=1).mean() < 0.6 * tints.mean(axis=1).std(axis=0).mean()


@pytest.mark.parametrize("cfu_type", CFU_TYPES)
def test_the_box_is_the_smallest_around_the_cells(cfu_type: str) -> None:
    for number in range(4):
        grey, pigment = empty_layer(), empty_layer()
        rng = np.random.default_rng(number)
        left, top, right, bottom = draw_colony(rng, grey, pigment, CFU_TYPES[cfu_type], 1.0)
        cells = grey[MARGIN:-MARGIN, MARGIN:-MARGIN] > 0.05
        rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
        found = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert found == pytest.approx((left, top, right, bottom), abs=12)


def test_boxes_lie_in_the_frame_around_most_of_the_detail(sample: Sample) -> None:
    left, top, right, bottom = sample.boxes.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= FRAME_WIDTH).all()
    assert (bottom <= FRAME_HEIGHT).all()
    size = np.maximum(right - left, bottom - top) / FRAME_HEIGHT
    assert size.min() > 0.15
    assert size.max() < 0.85
    assert (sample.detail[:, 0] > sample.detail[:, 1]).all()
    assert np.median(sample.detail[:, 0] / sample.detail[:, 1]) > 2


def test_places_vary(sample: Sample) -> None:
    centres = (sample.boxes[:, :2] + sample.boxes[:, 2:]) / 2
    assert (np.ptp(centres, axis=0) > [0.5 * FRAME_WIDTH, 0.4 * FRAME_HEIGHT]).all()


def test_colour_alone_does_not_tell_the_classes_apart(sample: Sample) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(model, sample.colours, sample.labels, cv=folds).mean() < 0.75


def test_unknown_type_of_frame() -> None:
    with pytest.raises(DatasetError, match=r"CFU-X.*The types are CFU-E, CFU-GM, CFU-PreB, BFU-E, CFU-GEMM"):
        draw_frame("CFU-X", seed=0, number=1)


# ---- the plan ----


def test_the_plan_has_the_published_numbers() -> None:
    plan = plan_demo()
    assert plan["label"].value_counts().to_dict() == PAPER_COUNTS == {"CFU-E": 208, "CFU-GM": 396, "CFU-PreB": 124}
    assert plan["path"].is_unique
    assert plan["path"].iloc[0] == "CFU-E/CFU-E_0001.jpg"


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_dishes_hold_one_class_and_a_few_images(seed: int) -> None:
    dishes = plan_demo(seed=seed).groupby("group")
    assert (dishes["label"].nunique() == 1).all()
    assert dishes.size().between(3, 9).all()
    assert dishes.size().nunique() > 4


def partitions_of(sizes: list[int]) -> set[tuple[int, int]]:
    """All (validation, test) sums that splits of whole dishes can give."""
    sums = {(0, 0)}
    for size in sizes:
        sums |= {(v + size, t) for v, t in sums} | {(v, t + size) for v, t in sums}
        sums = {(v, t) for v, t in sums if v <= 60 and t <= 60}
    return sums


@pytest.mark.parametrize("seed", [0, 1, 17])
def test_dishes_can_be_split_exactly_as_in_table_2(seed: int) -> None:
    for label, plan in plan_demo(seed=seed).groupby("label"):
        sizes = plan.groupby("group").size().tolist()
        training, validation, test = TABLE_2[label]
        assert (validation, test) in partitions_of(sizes)
        assert sum(sizes) - validation - test == training


def test_splits_are_counted_as_by_hand() -> None:
    assert demo_dataset._count_splits([1, 2, 3], 3, 0) == 2  # {3} and {1, 2}
    assert demo_dataset._count_splits([1, 2, 3], 1, 2) == 1
    assert demo_dataset._count_splits([2, 2, 5], 2, 5) == 2
    assert demo_dataset._count_splits([4], 1, 1) == 0


def test_another_seed_gives_other_dishes() -> None:
    assert not plan_demo(seed=0)["group"].equals(plan_demo(seed=1)["group"])
    pd.testing.assert_frame_equal(plan_demo(seed=1), plan_demo(seed=1))


def test_small_classes_still_have_a_dish_for_each_partition() -> None:
    plan = plan_demo({"BFU-E": 12, "CFU-GEMM": 3})
    assert (plan.groupby("label")["group"].nunique() >= 3).all()


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"HPP-CFC": 3}, "HPP-CFC"),
        ({"CFU-E": 0}, "CFU-E images is 0"),
        ({"CFU-E": -1}, "CFU-E images is -1"),
        ({}, "No type"),
    ],
)
def test_impossible_counts_are_refused(counts: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=message):
        write_demo(tmp_path / "demo", counts=counts)
    assert not any(tmp_path.iterdir())


# ---- the files ----


def test_the_folder_holds_class_folders_and_a_manifest(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    folder = write_demo(tmp_path / "demo", seed=2, counts=FEW, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(done, 5) for done in range(1, 6)]
    manifest = pd.read_csv(folder / "manifest.csv")
    assert list(manifest.columns) == ["path", "label", "group", "origin"]  # no box: it would replace the search
    assert set(manifest["path"]) | {"manifest.csv", "truth.csv"} == set(files(folder))
    assert (manifest["origin"] == "drawn").all()
    truth = pd.read_csv(folder / "truth.csv")
    assert list(truth.columns) == ["path", "box_left", "box_top", "box_right", "box_bottom"]
    assert truth["path"].equals(manifest["path"])
    planned = plan_demo(FEW, seed=2)
    for row, box, (number, dish) in zip(
        manifest.itertuples(),
        truth.drop(columns="path").itertuples(index=False),
        planned[["number", "dish"]].itertuples(index=False),
        strict=True,
    ):
        frame = draw_frame(row.label, seed=2, number=number, dish=dish)
        assert tuple(box) == frame.box
        stored = cv2.imread(str(folder / row.path))[..., ::-1].astype(int)
        assert np.abs(stored - frame.image).mean() < 4  # JPEG of noise
    assert not [path for path in tmp_path.iterdir() if path != folder]


def test_the_importer_takes_the_images_and_leaves_the_truth_alone(tmp_path: Path) -> None:
    scan = scan_source(write_demo(tmp_path / "demo", seed=2, counts={"CFU-E": 2, "CFU-GM": 1}))
    assert len(scan.images) == 3
    assert scan.images[BOX_COLUMNS].isna().all(axis=None)
    assert not len(scan.import_issues)


def test_the_same_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    one = files(write_demo(tmp_path / "one", seed=6, counts=FEW, workers=1))
    two = files(write_demo(tmp_path / "two", seed=6, counts=FEW, workers=2))
    other = files(write_demo(tmp_path / "other", seed=7, counts=FEW, workers=2))
    assert one == two
    assert one.keys() == other.keys()
    assert all(one[name] != other[name] for name in one if name != "manifest.csv")  # so few images, the same dishes


def test_a_finished_demo_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").mkdir()  # empty is as good as missing
    folder = write_demo(tmp_path / "demo", seed=2, counts={"CFU-GM": 2})
    before = files(folder)
    monkeypatch.setattr(demo_dataset, "_draw_all", lambda *_: pytest.fail("drawn again"))
    steps: list[tuple[int, int]] = []
    write_demo(folder, seed=2, counts={"CFU-GM": 2}, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(2, 2)]
    assert files(folder) == before


@pytest.mark.parametrize("change", ["seed", "counts", "lost image", "damaged manifest", "lost truth", "other truth"])
def test_another_or_incomplete_demo_is_not_taken_for_it(tmp_path: Path, change: str) -> None:
    folder = write_demo(tmp_path / "demo", seed=2, counts={"CFU-E": 2})
    if change == "lost image":
        (folder / "CFU-E" / "CFU-E_0002.jpg").unlink()
    if change == "damaged manifest":
        (folder / "manifest.csv").write_bytes(b"\xff\x00")
    if change == "lost truth":
        (folder / "truth.csv").unlink()
    if change == "other truth":
        truth = pd.read_csv(folder / "truth.csv").assign(box_left=1)
        truth.to_csv(folder / "truth.csv", index=False)
    before = files(folder)
    with pytest.raises(DatasetError, match="already contains other files"):
        write_demo(folder, seed=3 if change == "seed" else 2, counts={"CFU-E": 3 if change == "counts" else 2})
    assert files(folder) == before


def test_a_folder_or_file_of_the_user_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    for target in (mine, mine / "thesis.txt"):
        with pytest.raises(DatasetError, match=r"already contains other files.*Choose another folder"):
            write_demo(target, counts=FEW)
    assert files(tmp_path) == {"mine/thesis.txt": b"years"}


def stopped(done: int, total: int) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("progress", "draw", "error"),
    [(stopped, None, KeyboardInterrupt), (None, full_disk, StorageError)],
    ids=["stopped", "disk full"],
)
def test_nothing_is_left_when_it_does_not_end_well(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    progress: Callable[[int, int], None] | None,
    draw: Callable[..., None] | None,
    error: type[BaseException],
) -> None:
    if draw:
        monkeypatch.setattr(demo_dataset, "_draw_file", draw)
    with pytest.raises(error):
        write_demo(tmp_path / "deep" / "demo", counts=FEW, progress=progress)
    assert files(tmp_path) == {}
    assert not any((tmp_path / "deep").iterdir())
