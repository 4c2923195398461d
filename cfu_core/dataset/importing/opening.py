"""Open a source of images, whatever its kind, and list its images."""

import stat
from pathlib import Path

from cfu_core.dataset.importing.archive import ImportLimits, ZipTree
from cfu_core.dataset.importing.file_names import is_image
from cfu_core.dataset.importing.folder_layout import LayoutChoice
from cfu_core.dataset.importing.folders import FolderTree, ListedFiles
from cfu_core.dataset.importing.listing import Listing
from cfu_core.dataset.importing.manifest_listing import list_manifest
from cfu_core.dataset.importing.tree_listing import check_no_layout, list_tree
from cfu_core.errors import DatasetError
from cfu_core.storage import storage_errors

Tree = FolderTree | ZipTree | ListedFiles


def open_source(source: Path, *, limits: ImportLimits, zip_names: str | None) -> Tree:
    """Open a folder, a zip archive or a manifest; use the result as a context manager.

    Parameters
    ----------
    source, limits, zip_names
        As for `cfu_core.dataset.importing.source.import_source`.

    Raises
    ------
    DatasetError
        The source does not exist, is a single image, or is neither a file nor a folder.
    ArchiveError
        An archive is dangerous to unpack, damaged as a whole, encrypted or too large, or its names are not in the
        encoding `zip_names`.
    StorageError
        The user may not read the zip, or open the folder in which the source is.
    """
    mode = _mode(source)
    if stat.S_ISDIR(mode):
        return FolderTree(source, limits=limits)
    if not stat.S_ISREG(mode):
        found = f"{source} is neither a file nor a folder." if mode else f"{source} does not exist."
        raise DatasetError(found, "Expected a folder, a zip or a CSV file.", "Check the path.")
    if is_image(source.name):
        raise DatasetError(
            f"{source} is a single image.", "Expected a folder or a zip of images.", "Choose a folder or a zip."
        )
    if source.suffix.lower() == ".csv":
        return ListedFiles(source, limits=limits)
    return ZipTree(source, limits=limits, zip_names=zip_names)


def list_images(tree: Tree, choice: LayoutChoice) -> Listing:
    """List the images of an opened source with their classes.

    Parameters
    ----------
    tree : FolderTree, ZipTree or ListedFiles
        From `open_source`.
    choice : LayoutChoice
        What a person states about the levels of folders; nothing if there is a manifest.

    Raises
    ------
    DatasetError, ArchiveError
        As from `cfu_core.dataset.importing.tree_listing.list_tree` and
        `cfu_core.dataset.importing.manifest_listing.list_manifest`.
    StorageError
        The user may not read the CSV file.
    """
    if not isinstance(tree, ListedFiles):
        return list_tree(tree, choice)
    check_no_layout(choice, tree.name)
    manifest = Path(tree.name)
    with storage_errors(manifest):
        data = manifest.read_bytes()
    return list_manifest(tree, data, name=manifest.name)


def _mode(source: Path) -> int:
    """Return the file mode as `os.stat` gives it; 0 if the source does not exist."""
    try:
        with storage_errors(source):
            return source.stat().st_mode
    except (OSError, ValueError):  # a loop of links, a name that is too long or contains a NUL
        return 0
