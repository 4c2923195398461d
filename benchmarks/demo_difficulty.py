"""Accuracy on the demo dataset from colour alone.

    python -m benchmarks.demo_difficulty FOLDER

FOLDER was written by ``python -m cfu_core demo FOLDER``. A logistic regression on the standardised means and standard
deviations of the three colour channels is cross-validated in five stratified folds, without and with grouping by dish.
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cfu_core.dataset.importing.source import scan_source
from cfu_core.imaging.reading import read


def main(folder: Path) -> None:
    """Print both accuracies and that of the largest class."""
    images = scan_source(folder).images
    pixels = (read(folder / path) for path in images["path"])
    features = np.array([[*image.mean(axis=(0, 1)), *image.std(axis=(0, 1))] for image in pixels])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    for name, folds, groups in (
        ("stratified", StratifiedKFold(5, shuffle=True, random_state=0), None),
        ("grouped by dish", StratifiedGroupKFold(5, shuffle=True, random_state=0), images["group"]),
    ):
        scores = cross_val_score(model, features, images["label"], groups=groups, cv=folds)
        print(f"colour alone, five folds, {name}: {scores.mean():.3f} ({scores.min():.3f} to {scores.max():.3f})")
    print(f"always the largest class: {images['label'].value_counts(normalize=True).max():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
