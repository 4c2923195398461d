"""The table of a dataset on disk, and the image files that no table refers to any more."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd

from cfu_core.dataset.image_store import image_file, image_store
from cfu_core.dataset.packs import PACKS, remove_packs
from cfu_core.dataset.summary import SUMMARY, damaged
from cfu_core.dataset.table import COLUMNS, DTYPES, RANGE_COLUMNS, with_keys
from cfu_core.errors import DatasetError
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.storage import home, storage_errors

TABLE = "images.parquet"


def read_table(file: Path) -> pd.DataFrame:
    """Read the table of a dataset as imported.

    Parameters
    ----------
    file : Path
        The file; error messages name the folder that contains it as the id of the dataset.

    Returns
    -------
    pandas.DataFrame
        As `cfu_core.dataset.dataset.Dataset.imported`.

    Raises
    ------
    DatasetError
        If the file is missing or damaged.
    """
    return with_keys(_read_columns(file))


def _read_columns(file: Path) -> pd.DataFrame:
    """Return the table with an empty column ``key``."""
    try:
        images = pd.read_parquet(file)
        if "samples" not in images:  # written before ranges and pictures were chosen
            images = images.assign(samples="", plane=FIRST_PAGE, **dict.fromkeys(RANGE_COLUMNS, pd.NA))
        if "given_partition" not in images:  # written before partitions of a source were kept
            images = images.assign(given_partition="")
        return images.assign(key="")[COLUMNS].astype(DTYPES)
    except (OSError, ValueError, KeyError, TypeError) as error:  # pyarrow's own errors are among these
        raise damaged(file.parent.name, f"{TABLE} cannot be read ({error})") from error


def remove_with_images(folders: Sequence[Path]) -> None:
    """Delete folders of datasets, and those of their images that no other dataset uses, also none in the bin.

    If the table of another dataset cannot be read, the images that it uses are unknown, and no image is deleted. A pack
    of small images is deleted when no dataset uses any image in it. The caller must hold `store_lock`.

    Parameters
    ----------
    folders : sequence of Path
        Folders in ``<home>/datasets`` or ``<home>/bin``.

    Raises
    ------
    StorageError
        If the home folder is not writable.
    """
    tables = [*home().glob(f"datasets/*/{TABLE}"), *home().glob(f"bin/*/{TABLE}")]
    spare: set[tuple[str, str]] = set()
    for folder in folders:
        with suppress(DatasetError):  # a damaged table: its images are unknown and stay
            spare |= _stored(folder / TABLE)
    try:
        used = set[tuple[str, str]]().union(*(_stored(table) for table in tables if table.parent not in folders))
        known = True
    except DatasetError:
        known = False
    with storage_errors(home()):
        for folder in folders:
            (folder / SUMMARY).unlink(missing_ok=True)  # first: a folder without it is not a dataset
            shutil.rmtree(folder)
        if known:
            for digest, extension in spare - used:
                image_file(digest, extension).unlink(missing_ok=True)
            remove_packs(str(image_store() / PACKS), used={digest for digest, _ in used})


def _stored(file: Path) -> set[tuple[str, str]]:
    images = _read_columns(file)
    return set(zip(images["digest"], images["extension"], strict=True))
