"""The bin: deleted datasets, which can be restored for 30 days.

`<home>/bin/<id>-<time>/` is the folder of a deleted dataset, with `deleted.json` (name, time and person) added. The
images of these datasets stay in the image store.
"""

import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cfu_core.dataset.image_store import store_lock
from cfu_core.dataset.saved_table import remove_with_images
from cfu_core.dataset.summary import SUMMARY, read_summary
from cfu_core.errors import CfuError, DatasetError, StorageError
from cfu_core.storage import home, read_json, storage_errors, write_json

KEPT = timedelta(days=30)
_RECORD = "deleted.json"
_TIME = "%Y%m%d-%H%M%S-%f"
_FOLDER = re.compile(r"(.+)-(\d{8}-\d{6}-\d{6})")


@dataclass(frozen=True, kw_only=True)
class DeletedDataset:
    """A dataset in the bin.

    Attributes
    ----------
    entry : str
        Name of its folder in the bin, which identifies this deletion: a dataset can be imported and deleted again.
    id : str
        Id of the dataset.
    name : str
        Name of the dataset; the id if its summary is damaged.
    when : datetime
        Time of the deletion, in UTC.
    who : str
        Name of the person who deleted it; ``""`` if unknown.
    """

    entry: str
    id: str
    name: str
    when: datetime
    who: str

    @property
    def kept_until(self) -> datetime:
        """Time after which the next deletion or restoration of a dataset removes this one for good."""
        return self.when + KEPT


def list_deleted() -> list[DeletedDataset]:
    """Return the datasets in the bin, the latest deletion first. The list is empty if there are none.

    Raises
    ------
    StorageError
        If the home folder is not readable.
    """
    folder = home() / "bin"
    with storage_errors(folder):
        found = [file.parent for file in folder.glob(f"*/{SUMMARY}")] if folder.is_dir() else []
    deleted = [entry for entry in map(_deleted, found) if entry]
    return sorted(deleted, key=lambda entry: entry.when, reverse=True)


def find_deleted(reference: str) -> DeletedDataset | None:
    """Return the latest deleted dataset with this entry, id or name, in this order of precedence; None without one.

    Raises
    ------
    StorageError
        If the home folder is not readable.
    """
    deleted = list_deleted()
    for key in ("entry", "id", "name"):
        for entry in deleted:
            if getattr(entry, key) == reference:
                return entry
    return None


def move_to_bin(folder: Path, *, who: str = "") -> DeletedDataset:
    """Move the folder of a dataset to the bin, and remove what has been in the bin for more than 30 days.

    The caller must hold `store_lock`.

    Parameters
    ----------
    folder : Path
        Folder of a saved dataset.
    who : str
        Name of the person who deletes it, if known.

    Raises
    ------
    StorageError
        If the disk is full or the home folder is not writable. The dataset is unchanged then.
    """
    now = datetime.now(UTC)
    target = home() / "bin" / f"{folder.name}-{now.strftime(_TIME)}"
    name = _name(folder, folder.name)
    with storage_errors(target):
        target.parent.mkdir(exist_ok=True)
        write_json(folder / _RECORD, {"name": name, "when": now.isoformat(timespec="seconds"), "who": who})
        folder.rename(target)
    _remove_expired()
    return DeletedDataset(entry=target.name, id=folder.name, name=name, when=now, who=who)


def restore_dataset(entry: str) -> str:
    """Move a dataset from the bin back to the datasets, with its edits, splits and survey, and return its id.

    Other datasets that have been in the bin for more than 30 days are removed.

    Parameters
    ----------
    entry : str
        As in `DeletedDataset`.

    Raises
    ------
    DatasetError
        If the bin has no such entry, or a dataset with this id exists again.
    StorageError
        If the home folder is not writable, or another process has locked the image store for ten minutes.
    """
    with store_lock():
        deleted = _existing(entry)
        target = home() / "datasets" / deleted.id
        if (target / SUMMARY).exists():
            raise DatasetError(
                f"The dataset {deleted.id} exists again: the same images were imported after the deletion.",
                "Only one dataset can have this id.",
                "Delete the other one first, or delete this one for good.",
            )
        with storage_errors(target):
            if target.exists():  # a survey may have written there while the dataset was moved to the bin
                shutil.rmtree(target)
            target.parent.mkdir(exist_ok=True)
            (home() / "bin" / entry).rename(target)
            (target / _RECORD).unlink(missing_ok=True)
        _remove_expired()
    return deleted.id


def delete_for_good(entry: str) -> None:
    """Delete a dataset in the bin, and those of its images that no other dataset uses.

    Raises
    ------
    DatasetError
        If the bin has no such entry.
    StorageError
        If the home folder is not writable, or another process has locked the image store for ten minutes.
    """
    with store_lock():
        remove_with_images([home() / "bin" / _existing(entry).entry])


def _existing(entry: str) -> DeletedDataset:
    for deleted in list_deleted():
        if deleted.entry == entry:
            return deleted
    raise DatasetError(
        f"The bin has no dataset {entry!r}.",
        "It was restored or deleted for good meanwhile, or its 30 days were over.",
        "Import it again if it does not exist.",
    )


def _remove_expired() -> None:
    """Remove the datasets whose time in the bin is over, and what an interrupted removal left."""
    now = datetime.now(UTC)
    expired = []
    for folder in (home() / "bin").iterdir():
        deleted = _deleted(folder)
        if deleted and (deleted.kept_until < now or not (folder / SUMMARY).exists()):
            expired.append(folder)
    if expired:
        remove_with_images(expired)


def _deleted(folder: Path) -> DeletedDataset | None:
    """Describe an entry of the bin; None for a file or folder that another program has put there."""
    parts = _FOLDER.fullmatch(folder.name)
    if not parts:
        return None
    try:
        when = datetime.strptime(parts[2], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return DeletedDataset(
        entry=folder.name, id=parts[1], name=_name(folder, parts[1]), when=when, who=_person(folder / _RECORD)
    )


def _name(folder: Path, identity: str) -> str:
    try:
        return read_summary(folder / SUMMARY)["name"]
    except CfuError:
        return identity


def _person(record: Path) -> str:
    try:
        return str(read_json(record)["who"])
    except (FileNotFoundError, StorageError, KeyError, TypeError):
        return ""
