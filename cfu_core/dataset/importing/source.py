"""From a folder, a zip, an upload or a manifest to a dataset: every image is read, checked and kept by its digest.

New images wait in a folder of their own until all of them are good; then they move into the image store and the
dataset is saved, under the store's lock. Whatever goes wrong before leaves nothing behind.

Every file is checked to be a whole image, but a usual JPEG or PNG is not decoded: that takes ten times as long as all
else, and would tell little more, since decoders make up pixels for a JPEG that is damaged inside. The rule is the same
for few images as for many, so that a file's fate never depends on its company. What only decoding shows is found by
the survey, which decodes every image once the dataset is there.
"""

import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from cfu_core.dataset.dataset import Dataset, ImportIssue, checked_name, new_dataset
from cfu_core.dataset.importing.archive import ImportLimits, ZipTree
from cfu_core.dataset.importing.copying import Carried, Shelf, carry, put
from cfu_core.dataset.importing.folders import FolderTree, ListedFiles
from cfu_core.dataset.importing.listing import Entry, Listing, issue_from, list_manifest, list_tree, told
from cfu_core.dataset.importing.staging import Staging
from cfu_core.dataset.importing.uploads import discard_upload, incoming, stage_upload
from cfu_core.dataset.importing.workers import Crew, in_batches, one_by_one
from cfu_core.dataset.table import BOX_COLUMNS, images_table
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.reading import check
from cfu_core.storage import storage_errors
from cfu_core.worker_process import hands

__all__ = ["ImportLimits", "discard_upload", "import_source", "scan_source", "stage_upload"]

Progress = Callable[[int, int], None]
Tree = FolderTree | ZipTree | ListedFiles
Judged = tuple[dict[str, Any] | None, ImportIssue | None]  # the row of an image unless it cannot be used; its issue

_MANY = 3000  # images from which it pays to start processes


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
        Called with (images done, images in all) in the calling thread, every tenth of a second or so. What it raises
        ends the import.
    limits : ImportLimits, optional

    Returns
    -------
    Dataset
        Saved. Images that cannot be used are in its `import_issues`. The same content under the same name has the same
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
    with Staging() as staging:
        with storage_errors(staging.folder):
            dataset = _passed(
                source, name=name, progress=progress, limits=limits or ImportLimits(), shelf=staging.shelf
            )
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
    return _passed(source, name=None, progress=progress, limits=limits or ImportLimits(), shelf=None)


def _passed(
    source: Path,
    *,
    name: str | None,
    progress: Progress | None,
    limits: ImportLimits,
    shelf: Shelf | None,
) -> Dataset:
    """Read every image of a source once, and put each good one on the shelf."""
    tree, list_images = _opened(source, limits)
    with tree:
        listing = list_images()
        # Closed at once on an error: no thread or process may still write when the staging folder goes.
        with closing(_judged(tree, listing.entries, shelf, limits)) as batches:
            rows, issues = _counted(batches, listing, progress)
    if not rows:
        raise DatasetError(
            f"{source} holds no usable image. {told(issues)}", "", "Mend the images, or choose another source."
        )
    uploaded = source.is_relative_to(incoming())
    return new_dataset(
        images_table(rows),
        name=name or _default_name(source),
        import_issues=issues,
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


def _counted(
    batches: Generator[list[Judged], None, None], listing: Listing, progress: Progress | None
) -> tuple[list[dict[str, Any]], list[ImportIssue]]:
    rows, issues, done = [], list(listing.issues), 0
    report = progress or (lambda done, total: None)
    report(done, len(listing.entries))
    for batch in batches:
        rows += [row for row, _ in batch if row is not None]
        issues += [issue for _, issue in batch if issue is not None]
        done += len(batch)
        report(done, len(listing.entries))
    issues.sort(key=lambda issue: (issue.path, issue.kind, issue.detail))
    return rows, issues


def _judged(
    tree: Tree, entries: Sequence[Entry], shelf: Shelf | None, limits: ImportLimits
) -> Generator[list[Judged], None, None]:
    """What becomes of each image, in batches and in any order."""

    def here(entry: Entry) -> Judged:
        return _judge(tree, entry, shelf, limits)

    # Images of other formats are decoded one and all, here in threads; reading them elsewhere would be in vain.
    usual = (entry for entry in entries if entry.file.lower().endswith((".jpg", ".jpeg", ".png")))
    ordinary = [(entry, place) for entry in usual if (place := tree.ordinary(entry.file))]
    if len(ordinary) < _MANY or hands() == 1:
        yield from in_batches(one_by_one(here), entries)
        return
    with Crew(shelf, most=limits.image_bytes) as crew:

        def elsewhere(batch: Sequence[tuple[Entry, str]]) -> list[Judged]:
            found = crew.carry([place for _, place in batch])
            pairs = zip(batch, found, strict=False)  # it may have had time for the first few only
            return [_accepted(entry, carried) if carried else here(entry) for (entry, _), carried in pairs]

        yield from in_batches(elsewhere, ordinary)
        crew.finish()
    taken = {entry.path for entry, _ in ordinary}
    yield from in_batches(one_by_one(here), [entry for entry in entries if entry.path not in taken])


def _judge(tree: Tree, entry: Entry, shelf: Shelf | None, limits: ImportLimits) -> Judged:
    place = tree.ordinary(entry.file)
    carried = carry(place, shelf, most=limits.image_bytes) if place else None
    if carried is None:  # there may be something wrong with it, and here is told what
        try:
            data = tree.read(entry.file)
            header = check(data, name=entry.path)
        except ImageError as error:
            return None, issue_from(entry.path, error)
        carried = put(data, header, shelf)
    return _accepted(entry, carried)


def _accepted(entry: Entry, carried: Carried) -> Judged:
    """The row of a good image. A box that reaches outside is left aside."""
    row = {"path": entry.path, "label": entry.label, "group": entry.group, **carried._asdict()}
    if entry.box is None:
        return row, None
    if entry.box[2] <= carried.width and entry.box[3] <= carried.height:
        return row | dict(zip(BOX_COLUMNS, entry.box, strict=True)), None
    detail = (
        f"{entry.path} has {carried.width} × {carried.height} pixels, and its box {entry.box} reaches outside. "
        "The image is kept without a box."
    )
    return row, ImportIssue(path=entry.path, kind="box", detail=detail)
