"""Datasets on disk: save, load, list, rename and delete them.

`<home>/datasets/<id>/` contains `images.parquet` (the table as imported), `edits.jsonl` (the log of manual edits) and
`dataset.json` (the summary, written last: a folder without it is not a dataset).
The image files of all datasets are in the image store.
"""

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cfu_core.dataset.bin import DeletedDataset, find_deleted, move_to_bin
from cfu_core.dataset.dataset import Dataset, ImportIssue, checked_name, is_safe_id
from cfu_core.dataset.history import LOG, Edit, extended_log, log_size, read_log
from cfu_core.dataset.image_store import store_lock
from cfu_core.dataset.saved_table import TABLE, read_table, remove_with_images
from cfu_core.dataset.summary import SUMMARY, DatasetSummary, damaged, read_summary, summarize, summarize_damaged
from cfu_core.errors import DatasetError
from cfu_core.storage import home, replacing, storage_errors, write_bytes, write_json
from cfu_core.wording import first_of, plural


def save_dataset(dataset: Dataset) -> None:
    """Write a dataset to ``<home>/datasets/<id>/``. Its images must already be in the image store.

    If a dataset with this id exists, it is replaced, but its log of edits is kept and still applies. The edits of
    `dataset` itself are not written.

    Raises
    ------
    StorageError
        If the disk is full, the home folder is not writable, or another process has locked the image store for ten
        minutes. No file of a new dataset remains then.
    DatasetError
        If the log of edits of the existing dataset is damaged or does not match the table.
    """
    folder = dataset_folder(dataset.id)
    with store_lock():
        known = (folder / SUMMARY).exists()
        try:
            if known:
                dataset = _with_edits(dataset, read_log(folder, counted=0))
            else:  # an interrupted deletion may have left a log
                (folder / LOG).unlink(missing_ok=True)
            with replacing(folder / TABLE) as draft:
                dataset.imported.to_parquet(draft, index=False)
            write_json(folder / SUMMARY, _summary_json(dataset, log_size(folder)))
        except BaseException:
            if not known:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def save_edit(dataset: Dataset, edit: Edit) -> Dataset:
    """Append an edit to the log of a saved dataset, and return the edited dataset.

    The log and the summary are updated. The caller must hold `store_lock` and pass the dataset as it is on disk.

    Raises
    ------
    ValueError
        If the edit names an image that is not in the dataset, or undoes or redoes an edit that cannot be undone or
        redone. Nothing has changed then.
    DatasetError
        If the summary of the dataset is missing or damaged. Nothing has changed then.
    StorageError
        If the disk is full or the home folder is not writable. Nothing has changed then.
    """
    folder = dataset_folder(dataset.id)
    edited = replace(dataset, edits=(*dataset.edits, edit))
    log = extended_log(folder, dataset.edits, edit)
    with replacing(folder / SUMMARY) as draft:  # both files are on disk before either takes effect; the log first
        write_json(draft, read_summary(folder / SUMMARY) | _current_counts(edited, len(log)))
        write_bytes(folder / LOG, log)
    return edited


def load_dataset(reference: str, *, version: int | None = None) -> Dataset:
    """Load a saved dataset.

    Parameters
    ----------
    reference : str
        Id or name of the dataset. An id has precedence over a name; if several datasets have this name, the newest is
        loaded. A dataset with a damaged summary is found only by its id.
    version : int, optional
        Number of edits to apply, from the oldest; 0 gives the dataset as imported. All edits by default.

    Returns
    -------
    Dataset
        With the edits up to `version` applied. The image files are neither opened nor checked.

    Raises
    ------
    DatasetError
        If there is no such dataset or version, or its table, summary or log of edits is damaged.
    StorageError
        If the log of edits or the home folder is not readable.
    """
    identity = _resolve(reference)
    folder = dataset_folder(identity)
    summary = read_summary(folder / SUMMARY)
    imported = read_table(folder / TABLE)
    edits = read_log(folder, counted=summary["edits"]["version"])
    if version is not None and not 0 <= version <= len(edits):
        raise DatasetError(
            f"The dataset {identity} has no version {version}.",
            f"Its log holds {plural(len(edits), 'edit')}.",
            f"Choose a version from 0 to {len(edits)}.",
        )
    dataset = Dataset(
        id=identity,
        name=summary["name"],
        imported=imported,
        import_issues=tuple(ImportIssue(**issue) for issue in summary["problems"]),
        drawn=summary["drawn"],
        source=summary["source"],
        created=summary["created"],
    )
    if dataset.imported_digest != summary["digest"]:
        raise damaged(identity, "its table does not match its summary")
    return _with_edits(dataset, edits[:version]) if edits[:version] else dataset


def list_datasets() -> list[DatasetSummary]:
    """Return the summaries of all saved datasets, newest import first; damaged datasets come last.

    The list is empty if there are no datasets. Tables are not read, except that of a dataset whose log of edits does
    not have the size in the summary, so that a damaged table is usually not detected.

    Raises
    ------
    StorageError
        If the home folder or a log of edits is not readable.
    """
    folder = home() / "datasets"
    with storage_errors(folder):
        found = sorted(folder.glob(f"*/{SUMMARY}")) if folder.is_dir() else []
    summaries = [_summary(file) for file in found if is_safe_id(file.parent.name)]
    summaries.sort(key=lambda summary: (not summary.damaged, summary.created, summary.id), reverse=True)
    return summaries


def discard_dataset(id: str, *, who: str = "") -> DeletedDataset:
    """Move a dataset to the bin, where it can be restored for 30 days (`cfu_core.dataset.bin`).

    Its splits, its survey and its saved filters go with it, and its images stay in the image store. Runs that used the
    dataset are kept. Datasets that have been in the bin for more than 30 days are removed.

    Parameters
    ----------
    id : str
        Id of the dataset.
    who : str
        Name of the person who deletes it, if known.

    Raises
    ------
    DatasetError
        If there is no dataset with this id.
    StorageError
        If the disk is full, the home folder is not writable, or another process has locked the image store for ten
        minutes.
    """
    with store_lock():
        return move_to_bin(existing_folder(id), who=who)


def delete_dataset(id: str) -> None:
    """Delete the folder of a dataset at once, and those of its images that no other dataset uses.

    The folder also contains its splits, its survey and its saved filters. Runs that used the dataset are kept. Datasets
    in the bin keep their images. `cfu_core.dataset.saved_table.remove_with_images` says which images are deleted.

    Raises
    ------
    DatasetError
        If there is no dataset with this id.
    StorageError
        If the home folder is not writable, or another process has locked the image store for ten minutes.
    """
    with store_lock():
        remove_with_images([existing_folder(id)])


def rename_dataset(id: str, name: str) -> None:
    """Change the name of a dataset. Its id does not change, so that links and runs still refer to it.

    Several datasets may have the same name. White space around the name is removed.

    Raises
    ------
    DatasetError
        If there is no dataset with this id, its summary is damaged, or the name is blank.
    StorageError
        If the disk is full, the home folder is not writable, or another process has locked the image store for ten
        minutes.
    """
    name = checked_name(name)
    with store_lock():
        file = existing_folder(id) / SUMMARY
        write_json(file, read_summary(file) | {"name": name})


def dataset_folder(id: str) -> Path:
    """Return the folder of the dataset with this id, ``<home>/datasets/<id>``; it need not exist.

    Raises
    ------
    ValueError
        If the id is not safe as a folder name.
    """
    if not is_safe_id(id):
        raise ValueError(f"id is {id!r}; only ASCII letters, digits, - and _ are safe")
    return home() / "datasets" / id


def existing_folder(id: str) -> Path:
    """Return the folder of the saved dataset with this id.

    Raises
    ------
    DatasetError
        If there is no dataset with this id.
    StorageError
        If there is none, and the home folder is not readable.
    """
    if not is_saved(id):
        raise _unknown(id)
    return dataset_folder(id)


def is_saved(id: str) -> bool:
    """Return whether a dataset with this id is saved; False also for a text that cannot be an id."""
    return is_safe_id(id) and (dataset_folder(id) / SUMMARY).is_file()


def _with_edits(dataset: Dataset, edits: tuple[Edit, ...]) -> Dataset:
    try:
        return replace(dataset, edits=edits)
    except ValueError as error:
        raise damaged(dataset.id, f"its log of edits does not match its table: {error}") from error


def _resolve(reference: str) -> str:
    # A reference may come from a URL: an id must be safe as a folder name, a name is only compared.
    if is_saved(reference):
        return reference
    for summary in list_datasets():
        if summary.name == reference and not summary.damaged:
            return summary.id
    raise _unknown(reference)


def _unknown(reference: str) -> DatasetError:
    deleted = find_deleted(reference)
    if deleted:
        return DatasetError(
            f"The dataset {deleted.name} ({deleted.id}) is in the bin: it was deleted on {deleted.when:%Y-%m-%d}"
            + (f" by {deleted.who}." if deleted.who else "."),
            "Only a dataset that is not deleted can be used.",
            "Restore it under Deleted datasets on the Overview page, or with the subcommand bin in the shell.",
        )
    known = [f"{summary.name} ({summary.id})" for summary in list_datasets()]
    return DatasetError(
        f"There is no dataset {reference!r}.",
        f"The datasets are: {first_of(known, 10)}." if known else "There are no datasets yet.",
        "Choose one of these." if known else "Import a folder or a zip file first.",
    )


def _summary_json(dataset: Dataset, log_bytes: int) -> dict[str, Any]:
    return {
        "format": 1,
        "id": dataset.id,
        "name": dataset.name,
        "digest": dataset.imported_digest,  # of images.parquet
        **_current_counts(dataset, log_bytes),
        "drawn": dataset.drawn,
        "source": dataset.source,
        "created": dataset.created,
        "problems": [asdict(issue) for issue in dataset.import_issues],
    }


def _current_counts(dataset: Dataset, log_bytes: int) -> dict[str, Any]:
    """Return the part of the summary that an edit may change."""
    return {
        "images": len(dataset.images),
        "counts": dataset.counts,
        "edits": {"version": dataset.version, "bytes": log_bytes},
    }


def _summary(file: Path) -> DatasetSummary:
    identity = file.parent.name
    try:
        summary = read_summary(file)
        if not file.with_name(TABLE).is_file():
            raise damaged(identity, f"{TABLE} is missing")
        if log_size(file.parent) != summary["edits"]["bytes"]:  # an edit is being written, or a crash interrupted it
            summary |= _current_counts(load_dataset(identity), 0)
    except DatasetError as error:
        return summarize_damaged(identity, error)
    return summarize(identity, summary)
