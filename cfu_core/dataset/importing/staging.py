"""New images on their way into the image store: kept aside until all of them are good, then moved in at once."""

import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Self

from cfu_core.dataset.catalog import save_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.image_store import image_store, store_lock
from cfu_core.dataset.importing.copying import Shelf, is_whole
from cfu_core.dataset.importing.uploads import incoming
from cfu_core.storage import home, storage_errors

_STALE_S = 24 * 3600


class Staging:
    """A folder for the images of one import; gone when the import ends, however it ends.

    Laid out like the image store, so that a whole subfolder moves in with one rename where the store has none yet.

    Attributes
    ----------
    folder : Path
    shelf : Shelf
        Where its images are to be put.
    """

    def __init__(self) -> None:
        self.folder, self._store = incoming() / uuid.uuid4().hex, image_store()

    def __enter__(self) -> Self:
        _remove_stale()
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True)
            self.shelf = Shelf(str(self.folder), str(self._store))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def commit(self, dataset: Dataset) -> None:
        """Move the images into the store and save the dataset: both, or neither."""
        moved: list[Path] = []
        with store_lock():
            try:
                with storage_errors(self._store):
                    self._store.mkdir(parents=True, exist_ok=True)
                    for part in sorted(self.folder.iterdir()):
                        self._move(part, moved)
                save_dataset(dataset)
            except BaseException:
                if not (home() / "datasets" / dataset.id / "dataset.json").exists():
                    for path in moved:
                        _remove(path)
                raise

    def _move(self, part: Path, moved: list[Path]) -> None:
        """Move one subfolder in; what is new in the store joins `moved` before it is there."""
        target = self._store / part.name
        if not target.exists():
            moved.append(target)
            part.rename(target)
            return
        for file in sorted(part.iterdir()):
            goal = target / file.name
            if not is_whole(str(goal), file.stat().st_size):
                if not goal.exists():
                    moved.append(goal)
                file.replace(goal)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_stale() -> None:
    """Remove what a killed import or a forgotten upload left more than a day ago."""
    with storage_errors(incoming()):
        left = list(incoming().iterdir()) if incoming().is_dir() else []
    for folder in left:
        with suppress(FileNotFoundError):
            # Images arrive in the subfolders, at random, so that all of these are touched again and again.
            newest = max(path.stat().st_mtime for path in (folder, *folder.glob("*/")))
            if time.time() - newest > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
