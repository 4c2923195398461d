"""A staging folder for new images, which move into the image store together once all of them are checked."""

import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Self

from cfu_core.dataset.catalog import save_dataset
from cfu_core.dataset.dataset import Dataset
from cfu_core.dataset.image_store import image_store, store_lock
from cfu_core.dataset.importing.copying import StagingWriter, is_complete
from cfu_core.dataset.importing.uploads import incoming
from cfu_core.storage import home, storage_errors

_STALE_S = 24 * 3600


class Staging:
    """Temporary folder for the images of one import. Use as a context manager, which removes it at the end.

    It has the layout of the image store: a subfolder that the store does not have yet moves in with one rename.
    Entering the context also removes uploads and staging folders to which nothing was written for a day.

    Attributes
    ----------
    folder : Path
        The temporary folder, in ``<home>/incoming``; it exists within the context.
    writer : StagingWriter
        Writes images into the folder; available within the context.

    Raises
    ------
    StorageError
        When the context is entered: the disk is full, or the home folder is not readable or not writable.
    """

    def __init__(self) -> None:
        self.folder, self._store = incoming() / uuid.uuid4().hex, image_store()

    def __enter__(self) -> Self:
        _remove_stale()
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True)
            self.writer = StagingWriter(str(self.folder), str(self._store))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def commit(self, dataset: Dataset) -> None:
        """Move the images into the image store and save the dataset.

        On an error neither happens; only if a dataset with this id exists, images that were moved remain in the store.

        Parameters
        ----------
        dataset : Dataset
            Dataset of the images that `writer` has written. Packs of small images must be complete.

        Raises
        ------
        StorageError
            The disk is full, the home folder is not writable, or another process has locked the image store for ten
            minutes.
        DatasetError
            A dataset with this id exists, and its log of edits is damaged.
        """
        moved: list[Path] = []
        with store_lock():
            try:
                with storage_errors(self._store):
                    self._store.mkdir(parents=True, exist_ok=True)
                    for subfolder in sorted(self.folder.iterdir()):
                        self._move(subfolder, moved)
                save_dataset(dataset)
            except BaseException:
                if not (home() / "datasets" / dataset.id / "dataset.json").exists():
                    for path in moved:
                        _remove(path)
                raise

    def _move(self, subfolder: Path, moved: list[Path]) -> None:
        """Move one subfolder into the store; each new path is added to `moved` before it is made."""
        target = self._store / subfolder.name
        if not target.exists():
            moved.append(target)
            subfolder.rename(target)
            return
        for file in sorted(subfolder.iterdir()):
            stored = target / file.name
            if not is_complete(str(stored), file.stat().st_size):
                if not stored.exists():
                    moved.append(stored)
                file.replace(stored)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_stale() -> None:
    """Remove uploads and staging folders that nothing was written to for a day, left by a killed import for example."""
    with storage_errors(incoming()):
        left = list(incoming().iterdir()) if incoming().is_dir() else []
    for folder in left:
        with suppress(FileNotFoundError):
            # Images are written into random subfolders, so that a running import changes all of them repeatedly.
            newest = max(path.stat().st_mtime for path in (folder, *folder.glob("*/")))
            if time.time() - newest > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
