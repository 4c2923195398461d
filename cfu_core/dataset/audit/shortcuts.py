"""Checks whether the classes can be told apart by what is no colony: light, noise, size of the file, camera or date.

A small model predicts the class from a few numbers of each image. If it is clearly better than guessing, a network can
use the same shortcut [1]_, and fails on images that were made in another way.

References
----------
.. [1] R. Geirhos et al., "Shortcut learning in deep neural networks", Nature Machine Intelligence 2 (2020) 665-673,
   doi:10.1038/s42256-020-00257-z
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from cfu_core.dataset.audit.checks import Check
from cfu_core.dataset.audit.findings import Finding
from cfu_core.dataset.survey.survey import Survey
from cfu_core.wording import first_of

FOLDS = 5
MINIMUM_OF_CLASS = 10  # images of a class, below which it is not tested
MAXIMUM_IMAGES = 2000  # chosen at random if there are more
TREES, DEPTH, MINIMUM_LEAF = 20, 5, 5  # of the forest; a leaf of so many images
MOST_VALUES = 20  # most frequent values of a text that are told apart
CONFIDENCE_SCORE = 1.96  # standard errors of a 95 % interval
DECISION_SCORE = 2.5  # standard errors above guessing: with permuted labels, any group of features rarely reaches it
CLEAR_GAIN = 0.05  # of the balanced accuracy over guessing, below which a difference has no consequence
SEED = 0


class FeatureGroup(NamedTuple):
    """Numbers of an image that have one cause.

    Attributes
    ----------
    kind : str
        Keyword of the finding.
    title : str
        What they are, for users.
    columns : tuple of str
        Numbers of the table of features.
    texts : tuple of str
        Columns of texts, of which each frequent value becomes a feature.
    severity : str
        Of the finding: ``info`` if colonies may be the cause.
    advice : str
        Cause and remedy, as sentences.
    """

    kind: str
    title: str
    columns: tuple[str, ...]
    texts: tuple[str, ...]
    severity: str
    advice: str


_SESSIONS = "Add images of each class from every session, and test on images of a session that was not trained on."
GROUPS = (
    FeatureGroup(
        "shortcut-border-colour",
        "colour around the colony",
        (
            *("border_lightness", "border_a", "border_b"),
            *("border_lightness_spread", "border_a_spread", "border_b_spread"),
        ),
        (),
        "warning",
        "There is no colony in this part of the image, so the classes differ in light, medium or surrounding cells. On "
        "Preprocess, set the background to flatten and the colour to neutral, and crop to the colony. " + _SESSIONS,
    ),
    FeatureGroup(
        "shortcut-border-noise",
        "noise around the colony",
        ("border_noise",),
        (),
        "warning",
        "Noise depends on exposure, camera and compression, not on the colony. Use the same settings for all classes. "
        + _SESSIONS,
    ),
    FeatureGroup(
        "shortcut-mean-colour",
        "mean colour of the image",
        ("brightness", "mean_a", "mean_b"),
        (),
        "info",
        "Colonies contribute to it: erythroid ones are red, and large ones are darker. If the colour around the colony "
        "differs too, light or medium is the cause; otherwise this is probably a property of the colonies.",
    ),
    FeatureGroup(
        "shortcut-file-size",
        "size of the file",
        ("size_bytes",),
        (),
        "info",
        "Compressed files of large or rich colonies are larger, so this may be a property of the colonies. If the "
        "classes were saved by different programs or with another quality, export them again in the same way.",
    ),
    FeatureGroup(
        "shortcut-image-size",
        "size and ratio of the image",
        ("width", "height", "ratio"),
        (),
        "warning",
        "Images of different sizes are resized to the same input, so that cells and noise differ in size. Use one "
        "camera setting, or crop all classes in the same way.",
    ),
    FeatureGroup(
        "shortcut-samples",
        "depth and range of the samples",
        ("black", "white", "sample_low", "sample_high"),
        ("depth",),
        "info",
        "The darkest and the brightest parts of an image can be parts of colonies, so this may be a property of the "
        "colonies. If exposure or export differ between the classes, export all images again in the same way. "
        + _SESSIONS,
    ),
    FeatureGroup(
        "shortcut-file-type",
        "file type",
        (),
        ("extension",),
        "warning",
        "Compression leaves traces that a network sees. Export all images again in one format.",
    ),
    FeatureGroup(
        "shortcut-camera",
        "camera",
        (),
        ("camera",),
        "warning",
        "Each camera has its own colours and noise. " + _SESSIONS,
    ),
    FeatureGroup(
        "shortcut-date",
        "date and time of the image",
        ("day", "hour"),
        (),
        "warning",
        "Light, medium and staining change from day to day. " + _SESSIONS,
    ),
)


class Score(NamedTuple):
    """How well a model names the class of images that it was not fitted on.

    Attributes
    ----------
    accuracy : float (0 to 1)
        Balanced accuracy: the mean of the recalls of the classes.
    error : float
        Standard error of the accuracy, corrected for training images that folds share [1]_.
    guessing : float
        Balanced accuracy of naming the most frequent class for every image, one over the number of classes.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003) 239-281,
       doi:10.1023/A:1024068626366
    """

    accuracy: float
    error: float
    guessing: float

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        margin = CONFIDENCE_SCORE * self.error
        return max(0.0, self.accuracy - margin), min(1.0, self.accuracy + margin)

    @property
    def clear(self) -> bool:
        """Whether the accuracy is clearly above guessing."""
        gain = self.accuracy - self.guessing
        return gain > DECISION_SCORE * self.error and gain > CLEAR_GAIN

    @property
    def text(self) -> str:
        """The accuracy with its interval, and that of guessing, as a clause."""
        low, high = self.interval
        return (
            f"balanced accuracy {100 * self.accuracy:.0f} % (95 % interval {100 * low:.0f} to {100 * high:.0f} %), "
            f"{100 * self.guessing:.0f} % by guessing"
        )


def shortcuts(images: pd.DataFrame, survey: Survey) -> list[Check]:
    """Test for each group of features whether it tells the classes apart.

    Parameters
    ----------
    images : pandas.DataFrame
        Table of the dataset.
    survey : Survey
        Survey with one row per image of `images`, in the same order. Nothing is tested until it has measured all of
        them; images that are unreadable or have no class are ignored.

    Returns
    -------
    list of Check
        One for each of `GROUPS`. A finding has no paths and no remedies.

    Notes
    -----
    A random forest of scikit-learn is fitted in a cross-validation of five folds with classes of equal weight, on at
    most `MAXIMUM_IMAGES` images. Images of one group (a dish, a donor), and identical files, are in one fold, unless a
    class has only one group. The standard error counts images of one group as one observation. A finding needs a
    balanced accuracy that exceeds guessing by `DECISION_SCORE` standard errors and by `CLEAR_GAIN`.
    """
    table = survey.table
    decoded = table["brightness"].notna().to_numpy()
    if not (decoded | (table["unreadable"] != "").to_numpy()).all():
        return [_untested(group, "not tested until all images are measured") for group in GROUPS]
    counts = images["label"][decoded & (images["label"] != "").to_numpy()].value_counts()
    tested = sorted(counts.index[counts >= MINIMUM_OF_CLASS])
    if len(tested) < 2:
        reason = f"not tested, because fewer than two classes have {MINIMUM_OF_CLASS} images"
        return [_untested(group, reason) for group in GROUPS]
    rows = _chosen_rows(decoded & images["label"].isin(tested).to_numpy())
    features = _features(images.iloc[rows], table.iloc[rows])
    classes = pd.Categorical(images["label"].iloc[rows], categories=tested).codes.astype(int)
    dishes, remark = _separable(images.iloc[rows], classes)
    omitted = [f"{label} has {count}" for label, count in counts.items() if count < MINIMUM_OF_CLASS]
    if omitted:
        remark += f" Not included: {first_of(sorted(omitted), 3)} images."
    folds = _folds(classes, dishes)
    return [_tested(group, features, classes, dishes, folds, remark) for group in GROUPS]


def cross_validated(numbers: np.ndarray, classes: np.ndarray, dishes: np.ndarray, folds: np.ndarray) -> Score:
    """Predict classes from numbers in a cross-validation.

    Parameters
    ----------
    numbers : ndarray of float, shape (N, F)
        Features, all finite.
    classes : ndarray of int, shape (N,)
        From 0; every class occurs.
    dishes : ndarray of int, shape (N,)
        Images with the same number are not independent.
    folds : ndarray of int, shape (N,)
        Fold in which each image is predicted.
    """
    from sklearn.ensemble import RandomForestClassifier  # late: pages import this module

    predicted = np.empty_like(classes)
    for fold in np.unique(folds):
        test = folds == fold
        forest = RandomForestClassifier(
            TREES,
            max_depth=DEPTH,
            min_samples_leaf=MINIMUM_LEAF,
            max_features=None,
            class_weight="balanced",
            random_state=SEED,
        )
        predicted[test] = forest.fit(numbers[~test], classes[~test]).predict(numbers[test])
    count = len(np.unique(folds))
    return _score(predicted == classes, classes, dishes, inflation=1 + count / (count - 1))


def _score(right: np.ndarray, classes: np.ndarray, dishes: np.ndarray, *, inflation: float) -> Score:
    """Return the balanced accuracy with a standard error for clustered observations and folds that share images."""
    recalls, variances = [], []
    for number in range(classes.max() + 1):
        of_class = classes == number
        count, hits = int(of_class.sum()), right[of_class]
        recall = hits.mean()
        sums = np.bincount(dishes[of_class], hits - recall)
        clusters = len(np.unique(dishes[of_class]))
        clustered = (sums**2).sum() / count**2 * clusters / max(1, clusters - 1)
        # with one hit and one miss more, so that the error of few images is not 0
        smoothed = (hits.sum() + 1) / (count + 2)
        recalls.append(recall)
        variances.append(max(clustered, smoothed * (1 - smoothed) / (count + 2)))
    return Score(
        float(np.mean(recalls)), float(np.sqrt(inflation * np.sum(variances)) / len(recalls)), 1 / len(recalls)
    )


def _chosen_rows(usable: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(usable)
    if len(rows) > MAXIMUM_IMAGES:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, MAXIMUM_IMAGES, replace=False))
    return rows


def _features(images: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that the groups name."""
    taken = pd.to_datetime(table["taken"].str.slice(0, 19), format="%Y:%m:%d %H:%M:%S", errors="coerce")
    width, height = (images[name].to_numpy(float) for name in ("width", "height"))
    own = {
        "size_bytes": images["size_bytes"].to_numpy(float),
        "width": width,
        "height": height,
        "ratio": width / height,
        "black": images["black"].to_numpy(float, na_value=0.0),
        "white": images["white"].to_numpy(float, na_value=255.0),
        "extension": images["extension"].to_numpy(str),
        "day": taken.dt.floor("D").astype("datetime64[s]").astype("int64").where(taken.notna(), -1).to_numpy(float),
        "hour": taken.dt.hour.fillna(-1).to_numpy(float),
    }
    return table.reset_index(drop=True).assign(**own)


def _numbers(group: FeatureGroup, features: pd.DataFrame) -> np.ndarray:
    """Return the features of a group as numbers, (N, F), without those that are the same in all images."""
    numbers = [features[name].to_numpy(float) for name in group.columns]
    for name in group.texts:
        frequent = features[name].value_counts().index[:MOST_VALUES]
        numbers += [(features[name] == value).to_numpy(float) for value in frequent]
    varying = [np.nan_to_num(each) for each in numbers if len(np.unique(each)) > 1]
    return np.stack(varying, axis=1) if varying else np.empty((len(features), 0))


def _separable(images: pd.DataFrame, classes: np.ndarray) -> tuple[np.ndarray, str]:
    """Return which images must be in one fold, and a remark for users."""
    known = (images["group"] != "").to_numpy()
    names = np.where(known, "group " + images["group"].to_numpy(str), "file " + images["digest"].to_numpy(str))
    dishes = pd.factorize(names)[0]
    fewest = pd.Series(dishes).groupby(classes).nunique().min()
    if fewest >= 2:
        return dishes, " Images of one dish or donor are in one fold." if known.any() else ""
    dishes = pd.factorize(images["digest"])[0]
    return dishes, " A class comes from a single dish or donor, so that dish and class cannot be told apart."


def _folds(classes: np.ndarray, dishes: np.ndarray) -> np.ndarray:
    """Deal the dishes of each class to the folds in random order; a dish with several classes counts for one of them.

    There are fewer folds than `FOLDS` if a class has fewer dishes, but at least two.
    """
    first = pd.Series(classes).groupby(dishes).first().to_numpy()
    fewest = int(pd.Series(dishes).groupby(classes).nunique().min())
    count = max(2, min(FOLDS, fewest))
    fold = np.empty(len(first), int)
    random = np.random.default_rng(SEED)
    for number in range(classes.max() + 1):
        members = random.permutation(np.flatnonzero(first == number))
        fold[members] = (np.arange(len(members)) + number) % count
    return fold[dishes]


def _tested(
    group: FeatureGroup,
    features: pd.DataFrame,
    classes: np.ndarray,
    dishes: np.ndarray,
    folds: np.ndarray,
    remark: str,
) -> Check:
    numbers = _numbers(group, features)
    if not numbers.shape[1]:
        return _untested(group, "the same, or unknown, in all images")
    score = cross_validated(numbers, classes, dishes, folds)
    finding = None
    if score.clear:
        finding = Finding(
            kind=group.kind,
            title=_title(group),
            detail="From this alone, a small model tells the classes apart in images that it was not fitted on: "
            f"{score.text}, which means naming the same class every time.{remark} {group.advice}",
            paths=(),
            severity=group.severity,
        )
    return Check(kind=group.kind, title=_title(group), result=score.text, finding=finding)


def _untested(group: FeatureGroup, reason: str) -> Check:
    return Check(kind=group.kind, title=_title(group), result=reason)


def _title(group: FeatureGroup) -> str:
    return f"Class predictable from the {group.title}"
