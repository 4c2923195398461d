"""From a folder, a zip, an upload or a manifest to a dataset: every image is read, checked and kept by its digest.

New images wait in a folder of their own until all of them are good; then they move into the image store and the
dataset is saved, under the store's lock. Whatever goes wrong before leaves nothing behind.
"""

import hashlib
import os
import shutil
import stat
import time
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

from cfu_core.dataset.archive import ImportLimits, ZipTree
from cfu_core.dataset.catalog import (
    BOX_COLUMNS,
    Dataset,
    Problem,
    checked_name,
    image_file,
    images_table,
    new_dataset,
    save_dataset,
    store_lock,
)
from cfu_core.dataset.folders import FolderTree, ListedFiles
from cfu_core.dataset.listing import Entry, Listing, list_manifest, list_tree, problem_from, told
from cfu_core.dataset.uploads import discard_upload, incoming, stage_upload
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.reading import FORMAT_EXTENSIONS, ImageHeader, decode, read_header
from cfu_core.storage import home, storage_errors

__all__ = ["ImportLimits", "discard_upload", "import_source", "scan_source", "stage_upload"]

Progress = Callable[[int, int], None]
Keep = Callable[[str, str, bytes], None]
Tree = FolderTree | ZipTree | ListedFiles

_STALE_S = 24 * 3600
_AHEAD = 4  # tasks in waiting for each thread; their images are not read yet
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def import_source(
    source: Path,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    limits: ImportLimits | None = None,
) -> Dataset:
    """Import a source and save it as a dataset.

    Parameters
    ----------
    source : Path
        A folder with a folder for each class, a zip of one, either with one more folder around it; a folder or zip
        with a ``manifest.csv`` at its top; or a CSV file.
    name : str, optional
        What to call the dataset; by default what the source is called.
    progress : callable, optional
        Called with (images done, images in all) in the calling thread. What it raises ends the import.
    limits : ImportLimits, optional

    Returns
    -------
    Dataset
        Saved. Images that cannot be used are in its `problems`. The same content under the same name has the same
        id, and no image is stored twice.

    Raises
    ------
    DatasetError
        There is nothing to import: no such source, no classes, or no usable image.
    ArchiveError
        An archive is hostile or broken.
    StorageError
        The disk is full, or the home folder may not be written.
    """
    name = checked_name(name) if name is not None else None
    with _Staging() as staging:
        dataset = _passed(source, name=name, progress=progress, limits=limits, keep=staging.keep)
        staging.commit(dataset)
    return dataset


def scan_source(source: Path, *, progress: Progress | None = None, limits: ImportLimits | None = None) -> Dataset:
    """What `import_source` would make of a source, without writing anything.

    Returns
    -------
    Dataset
        Not saved, and none of its images are in the store.

    Raises
    ------
    DatasetError, ArchiveError
        As from `import_source`.
    """
    return _passed(source, name=None, progress=progress, limits=limits, keep=None)


def _passed(
    source: Path,
    *,
    name: str | None,
    progress: Progress | None,
    limits: ImportLimits | None,
    keep: Keep | None,
) -> Dataset:
    """Read every image of a source once; hand each good one to `keep`."""
    tree, list_images = _opened(source, limits or ImportLimits())
    with tree:
        listing = list_images()
        rows, problems = _examined(tree, listing, progress, keep)
    if not rows:
        raise DatasetError(
            f"{source} holds no usable image. {told(problems)}", "", "Mend the images, or choose another source."
        )
    uploaded = source.is_relative_to(incoming())
    return new_dataset(
        images_table(rows),
        name=name or _default_name(source),
        problems=problems,
        drawn=listing.drawn,
        source=f"uploaded {source.name}" if uploaded else str(source),
    )


def _opened(source: Path, limits: ImportLimits) -> tuple[Tree, Callable[[], Listing]]:
    mode = _mode(source)
    if stat.S_ISDIR(mode):
        folder = FolderTree(source, limits=limits)
        return folder, lambda: list_tree(folder)
    if not stat.S_ISREG(mode):
        found = f"{source} is no file or folder." if mode else f"{source} does not exist."
        raise DatasetError(found, "Expected a folder, a zip or a CSV file.", "Check the path.")
    if source.suffix.lower() != ".csv":
        archive = ZipTree(source, limits=limits)
        return archive, lambda: list_tree(archive)
    with storage_errors(source):
        data = source.read_bytes()
    listed = ListedFiles(source, limits=limits)
    return listed, lambda: list_manifest(listed, data, name=source.name)


def _mode(source: Path) -> int:
    """The kind of file, as in `os.stat`; 0 where there is none."""
    try:
        with storage_errors(source):
            return source.stat().st_mode
    except (OSError, ValueError):  # a loop of links, a name that is too long or holds a NUL
        return 0


def _default_name(source: Path) -> str:
    name = source.stem if source.is_file() else source.resolve().name
    if name.lower() == "manifest":
        name = source.resolve().parent.name
    return name.strip() or "dataset"


def _examined(
    tree: Tree, listing: Listing, progress: Progress | None, keep: Keep | None
) -> tuple[list[dict[str, Any]], list[Problem]]:
    rows, problems = [], list(listing.problems)
    report = progress or (lambda done, total: None)
    report(0, len(listing.entries))
    # Closed at once on an error: no thread may still write when the staging folder goes.
    with closing(_in_order(lambda entry: _examine(tree, entry, keep), listing.entries)) as found:
        for done, result in enumerate(found, start=1):
            row, problem = result
            if row is not None:
                rows.append(row)
            if problem is not None:
                problems.append(problem)
            report(done, len(listing.entries))
    problems.sort(key=lambda problem: (problem.path, problem.kind, problem.detail))
    return rows, problems


def _examine(tree: Tree, entry: Entry, keep: Keep | None) -> tuple[dict[str, Any] | None, Problem | None]:
    """The row of an image, unless it cannot be used, and what is wrong with it."""
    try:
        data = tree.read(entry.file)
        header = _check_fully(data, name=entry.path)
    except ImageError as error:
        return None, problem_from(entry.path, error)
    box, problem = _checked_box(entry, header)
    digest = hashlib.sha256(data).hexdigest()
    extension = FORMAT_EXTENSIONS[header.format]
    if keep is not None:
        keep(digest, extension, data)
    row = {
        "path": entry.path,
        "label": entry.label,
        "group": entry.group,
        "digest": digest,
        "extension": extension,
        "size_bytes": len(data),
        "width": header.width,
        "height": header.height,
        **dict(zip(BOX_COLUMNS, box or (None,) * 4, strict=True)),
    }
    return row, problem


def _check_fully(data: bytes, *, name: str) -> ImageHeader:
    # Decoding is what takes the time here, and the only way to find broken pixels before a training run does.
    decode(data, name=name)
    return read_header(data, name=name)


def _checked_box(entry: Entry, header: ImageHeader) -> tuple[Any, Problem | None]:
    """The colony's box; one that reaches outside is left aside, and its image is kept."""
    if entry.box is None or (entry.box[2] <= header.width and entry.box[3] <= header.height):
        return entry.box, None
    detail = (
        f"{entry.path} has {header.width} × {header.height} pixels, and its box {entry.box} reaches outside. "
        "The image is kept without a box."
    )
    return None, Problem(path=entry.path, kind="box", detail=detail)


def _in_order(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Generator[_Result, None, None]:
    """`work` of every item in a few threads; results come in the order of the items, only few items ahead."""
    threads = os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads, thread_name_prefix="import")
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= threads * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Staging:
    """A folder beside the image store for the images of one import; gone when the import ends, however it ends."""

    def __init__(self) -> None:
        self._folder = incoming() / uuid.uuid4().hex

    def __enter__(self) -> Self:
        _remove_stale()
        with storage_errors(self._folder):
            self._folder.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self, digest: str, extension: str, data: bytes) -> None:
        """Take an image, unless it is here already. Safe to call from several threads."""
        staged, stored = self._folder / f"{digest}{extension}", image_file(digest, extension)
        if staged.exists():
            return
        if _is_whole(stored, len(data)):
            # A link costs nothing, and survives a deletion of the stored one while this import still runs.
            with suppress(OSError):
                os.link(stored, staged)
                return
        with storage_errors(staged):
            draft = self._folder / f"{uuid.uuid4().hex}.part"
            draft.write_bytes(data)
            draft.replace(staged)

    def commit(self, dataset: Dataset) -> None:
        """Move the images into the store and save the dataset: both, or neither."""
        moved: list[Path] = []
        with store_lock():
            try:
                images = dataset.images.drop_duplicates("digest")
                for row in images[["digest", "extension", "size_bytes"]].itertuples(index=False):
                    self._move(row.digest, row.extension, row.size_bytes, moved)
                save_dataset(dataset)
            except BaseException:
                if not (home() / "datasets" / dataset.id / "dataset.json").exists():
                    for file in moved:
                        file.unlink(missing_ok=True)
                raise

    def _move(self, digest: str, extension: str, size: int, moved: list[Path]) -> None:
        target = image_file(digest, extension)
        if _is_whole(target, size):
            return
        with storage_errors(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                moved.append(target)
            (self._folder / f"{digest}{extension}").replace(target)


def _is_whole(file: Path, size: int) -> bool:
    """Whether a stored image is there in its full length; a power cut may have left a shorter one."""
    return file.is_file() and file.stat().st_size == size


def _remove_stale() -> None:
    """Remove what a killed import or a forgotten upload left more than a day ago."""
    with storage_errors(incoming()):
        left = list(incoming().iterdir()) if incoming().is_dir() else []
    for folder in left:
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _STALE_S:
                shutil.rmtree(folder, ignore_errors=True)
