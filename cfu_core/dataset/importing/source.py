"""Import a folder, a zip archive, an upload or a manifest as a dataset.

Every image is read, checked and stored under the digest of its bytes. New images are collected in a staging folder.
When all of them are checked, they move into the image store and the dataset is saved, under the lock of the store. An
import that fails earlier leaves nothing behind.

Every file is checked to be a complete image, but a usual JPEG or PNG is not decoded: decoding takes ten times as long
as everything else and would find little more, since decoders invent pixels for a JPEG with damaged data. The same rule
applies to small and to large sources, so that the result for one file never depends on the others. The survey decodes
every image after the import and finds what only decoding shows.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from cfu_core.dataset.dataset import Dataset, ImportIssue, checked_name, new_dataset
from cfu_core.dataset.importing import copying
from cfu_core.dataset.importing.archive import ImportLimits
from cfu_core.dataset.importing.copying import CopiedImage, StagingWriter, copy_image, hash_and_write
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.given_partitions import describe_partitions
from cfu_core.dataset.importing.listing import Entry, Listing, describe_issues, issue_from
from cfu_core.dataset.importing.opening import Tree, list_images, open_source
from cfu_core.dataset.importing.parallel_batches import BATCH_SECONDS, itemwise, process_batches
from cfu_core.dataset.importing.plane_choices import assign_planes
from cfu_core.dataset.importing.sample_ranges import assign_ranges
from cfu_core.dataset.importing.staging import Staging
from cfu_core.dataset.importing.tree_listing import unanswered
from cfu_core.dataset.importing.uploads import discard_upload, incoming, stage_upload
from cfu_core.dataset.table import BOX_COLUMNS, images_table
from cfu_core.errors import DatasetError, ImageError
from cfu_core.imaging.reading import CheckedImage, check
from cfu_core.storage import storage_errors
from cfu_core.worker_pool import WorkerPool
from cfu_core.worker_process import worker_count

__all__ = ["ImportLimits", "discard_upload", "import_source", "scan_source", "stage_upload"]

Progress = Callable[[int, int], None]
Outcome = tuple[dict[str, Any] | None, ImportIssue | None]  # row of an image, None if it is left out; its issue, if any

_MIN_IMAGES_FOR_PROCESSES = 3000  # starting worker processes takes longer than fewer images do


def import_source(
    source: Path,
    *,
    name: str | None = None,
    progress: Progress | None = None,
    limits: ImportLimits | None = None,
    zip_names: str | None = None,
    layout: LayoutChoice | None = None,
) -> Dataset:
    """Import a source and save it as a dataset.

    Parameters
    ----------
    source : Path
        A folder with one subfolder for each class, or a zip of such a folder, perhaps with further levels for
        partitions, dishes or donors; a folder or zip with a ``manifest.csv`` at its top; or a CSV file, which is a
        manifest with paths relative to its folder, or absolute.
    name : str, optional
        Name of the dataset. The default is the name of the folder, or of the file without its extension. If that name
        is ``manifest``, the default is the name of the folder in which it is.
    progress : callable, optional
        Callback ``(done, total)`` with numbers of images, called in the calling thread: once when the images are
        listed, then after each batch of images. An exception that it raises ends the import, and nothing is imported.
    limits : ImportLimits, optional
        Maximum sizes. The defaults are those of `ImportLimits`.
    zip_names : str, optional
        Encoding of the names in a zip archive that does not state it, such as ``cp932``. By default it is guessed (see
        `cfu_core.dataset.importing.zip_names`), and an issue says which one was used. Ignored for other sources.
    layout : LayoutChoice, optional
        What the levels of folders mean. What is not stated is proposed from the names of the folders (see
        `cfu_core.dataset.importing.layout_proposal`), and an issue says it if there is more than one level. A source
        with a manifest refuses it.

    Returns
    -------
    Dataset
        The saved dataset. Its `import_issues` list the files that were left out, with reasons, and other issues. The
        same content under the same name has the same id: it replaces the earlier import, whose edits then still apply
        but are not in the returned dataset (use `cfu_core.dataset.catalog.load_dataset`).

    Raises
    ------
    DatasetError
        The source does not exist, is a single image, or is neither a file nor a folder. It has no image in a class
        folder or no usable image; the names of its folders do not say which level is the class, or `layout` does not
        fit them; or its manifest cannot be read, is not valid or contains a path that leads out of the source. The name
        is blank; a worker process was ended from outside; or the same dataset exists and its log of edits is damaged.
    ArchiveError
        An archive is dangerous to unpack, damaged as a whole, encrypted or too large, or its names are not in the
        encoding `zip_names`. Some of the other errors about an archive or an upload have this class too.
    StorageError
        The disk is full, the user may not read the zip or CSV file or open the folder in which the source is, the home
        folder is not writable, or another process has locked the image store for ten minutes.
    """
    name = checked_name(name) if name is not None else None
    with Staging() as staging:
        with storage_errors(staging.folder):
            dataset = _read_source(
                source,
                name=name,
                progress=progress,
                limits=limits or ImportLimits(),
                writer=staging.writer,
                zip_names=zip_names,
                layout=layout,
            )
        staging.commit(dataset)
    return dataset


def scan_source(
    source: Path,
    *,
    progress: Progress | None = None,
    limits: ImportLimits | None = None,
    zip_names: str | None = None,
    layout: LayoutChoice | None = None,
) -> Dataset:
    """Check a source as `import_source` does, without writing anything.

    Parameters
    ----------
    source, progress, limits, zip_names, layout
        As for `import_source`.

    Returns
    -------
    Dataset
        The dataset that an import without a name would save. Its images are not put into the image store, so
        `Dataset.read_image` fails unless an import stored them before.

    Raises
    ------
    DatasetError, ArchiveError
        As from `import_source`, for the source and worker processes.
    StorageError
        The user may not read the zip or CSV file, or open the folder in which the source is.
    """
    return _read_source(
        source,
        name=None,
        progress=progress,
        limits=limits or ImportLimits(),
        writer=None,
        zip_names=zip_names,
        layout=layout,
    )


def _read_source(
    source: Path,
    *,
    name: str | None,
    progress: Progress | None,
    limits: ImportLimits,
    writer: StagingWriter | None,
    zip_names: str | None,
    layout: LayoutChoice | None,
) -> Dataset:
    """Read every image of a source once and give each good one to the writer."""
    with open_source(source, limits=limits, zip_names=zip_names) as tree:
        listing = list_images(tree, layout or LayoutChoice())
        if listing.question:
            raise unanswered(tree, listing.question)
        # Closed at once on an error: no thread or process may write any more when the staging folder is removed.
        with closing(_check_images(tree, listing.entries, writer, limits)) as batches:
            rows, issues = _collect(batches, listing, progress)
    if not rows:
        raise DatasetError(
            f"{source} holds no usable image. {describe_issues(issues)}",
            "",
            "Repair the images, or choose another source.",
        )
    uploaded = source.is_relative_to(incoming())
    return new_dataset(
        images_table(rows),
        name=name or _default_name(source),
        import_issues=issues,
        drawn=listing.drawn,
        source=f"uploaded {source.name}" if uploaded else str(source),
    )


def _default_name(source: Path) -> str:
    name = source.stem if source.is_file() else source.resolve().name
    if name.lower() == "manifest":
        name = source.resolve().parent.name
    return name.strip() or "dataset"


def _collect(
    batches: Generator[list[Outcome], None, None], listing: Listing, progress: Progress | None
) -> tuple[list[dict[str, Any]], list[ImportIssue]]:
    """Collect the rows and issues of all batches and report progress."""
    rows, issues, done = [], list(listing.issues), 0
    report = progress or (lambda done, total: None)
    report(done, len(listing.entries))
    for batch in batches:
        rows += [row for row, _ in batch if row is not None]
        issues += [issue for _, issue in batch if issue is not None]
        done += len(batch)
        report(done, len(listing.entries))
    issues += assign_ranges(rows) + assign_planes(rows) + describe_partitions(rows)
    issues.sort(key=lambda issue: (issue.path, issue.kind, issue.detail))
    return rows, issues


def _check_images(
    tree: Tree, entries: Sequence[Entry], writer: StagingWriter | None, limits: ImportLimits
) -> Generator[list[Outcome], None, None]:
    """Check all images and give the good ones to the writer; yield the outcomes in batches, in any order.

    Many images go to worker processes. Threads would not be faster than one thread: small images take little more than
    system calls, and each system call releases and takes the interpreter's lock.
    """

    def check_here(entry: Entry) -> Outcome:
        return _check_image(tree, entry, writer, limits)

    # Images of other formats are decoded, by threads of this process; a worker process would read them in vain.
    usual = (entry for entry in entries if entry.file.lower().endswith((".jpg", ".jpeg", ".png")))
    direct = [(entry, path) for entry in usual if (path := tree.direct_path(entry.file))]
    if len(direct) < _MIN_IMAGES_FOR_PROCESSES or worker_count() == 1:
        yield from process_batches(itemwise(check_here), entries)
        return
    with WorkerPool(copying.__name__, (writer, limits.image_bytes), name="The import") as pool:

        def check_in_pool(batch: Sequence[tuple[Entry, str]]) -> list[Outcome]:
            copied_images = pool.ask(([path for _, path in batch], BATCH_SECONDS))
            pairs = zip(batch, copied_images, strict=False)  # there may have been time for the first images only
            return [_accept(entry, copied) if copied else check_here(entry) for (entry, _), copied in pairs]

        yield from process_batches(check_in_pool, direct)
        pool.ask_each(None)
    done = {entry.path for entry, _ in direct}
    yield from process_batches(itemwise(check_here), [entry for entry in entries if entry.path not in done])


def _check_image(tree: Tree, entry: Entry, writer: StagingWriter | None, limits: ImportLimits) -> Outcome:
    path = tree.direct_path(entry.file)
    copied = copy_image(path, writer, max_bytes=limits.image_bytes) if path else None
    if copied is None:  # not a usual image, or not a good one: a full check finds the reason
        try:
            data = tree.read(entry.file)
            checked = check(data, name=entry.path)
        except ImageError as error:
            return None, issue_from(entry, error)
        return _accept(entry, hash_and_write(data, checked.header, writer), checked)
    return _accept(entry, copied)


def _accept(entry: Entry, copied: CopiedImage, checked: CheckedImage | None = None) -> Outcome:
    """Return the row of a good image; a box that exceeds the image is dropped and becomes an issue."""
    row = {"path": entry.path, "label": entry.label, "group": entry.group, **copied._asdict()}
    row["given_partition"] = entry.partition
    if checked is not None:
        row |= {"samples": checked.samples, "plane": checked.plane}
    if entry.box is None:
        return row, None
    if entry.box[2] <= copied.width and entry.box[3] <= copied.height:
        return row | dict(zip(BOX_COLUMNS, entry.box, strict=True)), None
    detail = (
        f"{entry.path} has {copied.width} × {copied.height} pixels, and its box {entry.box} exceeds the image. "
        "The image is kept without a box."
    )
    return row, ImportIssue(path=entry.path, kind="box", detail=detail)
