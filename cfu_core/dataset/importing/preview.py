"""What an import of a source would give: its levels of folders, its classes and partitions, before an image is read."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.archive import ImportLimits
from cfu_core.dataset.importing.folder_layout import FolderLayout, FolderLevel, LayoutChoice
from cfu_core.dataset.importing.folders import ListedFiles
from cfu_core.dataset.importing.layout_proposal import choose_layout
from cfu_core.dataset.importing.listing import Listing
from cfu_core.dataset.importing.opening import list_images, open_source
from cfu_core.dataset.importing.tree_listing import list_content, tree_content
from cfu_core.errors import DatasetError


@dataclass(frozen=True, kw_only=True)
class SourcePreview:
    """What an import of a source would give.

    Attributes
    ----------
    manifest : str
        Name of the manifest that gives the classes; ``""`` if folders give them.
    levels : tuple of FolderLevel
        The levels of folders, from the top, without the folders that are left out; empty if there is a manifest.
    folders : tuple of str
        Names of all folders with images, sorted; empty if there is a manifest.
    layout : FolderLayout or None
        What each level means; None if there is a manifest.
    counts : Mapping of (str, str) to int
        Number of images by class and given partition; both are ``""`` if there is none.
    groups : int
        Number of groups.
    issues : tuple of ImportIssue
        Issues that are found without reading an image.
    guessed_names : bool
        Whether the encoding of the names in an archive was guessed.
    error : str
        Why an import is not possible with this layout; ``""`` if it is.
    """

    manifest: str
    levels: tuple[FolderLevel, ...]
    folders: tuple[str, ...]
    layout: FolderLayout | None
    counts: Mapping[tuple[str, str], int]
    groups: int
    issues: tuple[ImportIssue, ...]
    guessed_names: bool = False
    error: str = ""

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted."""
        return sorted({label for label, _ in self.counts} - {""})


def preview_source(
    source: Path,
    *,
    layout: LayoutChoice | None = None,
    zip_names: str | None = None,
    limits: ImportLimits | None = None,
) -> SourcePreview:
    """List the images of a source and say what an import would give. No image is read.

    Parameters
    ----------
    source, layout, zip_names, limits
        As for `cfu_core.dataset.importing.source.import_source`.

    Returns
    -------
    SourcePreview
        With an error instead of classes if the names of the folders do not say which level is the class, or `layout`
        does not fit them.

    Raises
    ------
    DatasetError
        The source does not exist, is a single image, is neither a file nor a folder or contains no image; or its
        manifest cannot be read or is not valid.
    ArchiveError
        An archive is dangerous to unpack, damaged as a whole, encrypted or too large, or its names are not in the
        encoding `zip_names`.
    StorageError
        The user may not read the zip or CSV file, or open the folder in which the source is.
    """
    choice = layout or LayoutChoice()
    with open_source(source, limits=limits or ImportLimits(), zip_names=zip_names) as tree:
        if isinstance(tree, ListedFiles):
            return _preview(list_images(tree, choice), manifest=source.name)
        # before a manifest is read, whose encoding may be guessed as well
        guessed = any(issue.kind == "encoding" for issue in tree.issues)
        content = tree_content(tree)
        try:
            listing, error = list_content(tree, content, choice), ""
        except DatasetError as failure:
            if content.manifest or not content.images:
                raise
            proposed, levels = choose_layout(content.images, LayoutChoice(), source=tree.name)
            listing, error = Listing(entries=(), issues=(), layout=proposed, levels=tuple(levels)), str(failure)
        folders = () if content.manifest else {name for path in content.images for name in path.split("/")[:-1]}
        found = _preview(listing, manifest=content.manifest)
        return replace(found, folders=tuple(sorted(folders)), guessed_names=guessed, error=error)


def _preview(listing: Listing, *, manifest: str = "") -> SourcePreview:
    return SourcePreview(
        manifest=manifest,
        levels=listing.levels,
        folders=(),
        layout=listing.layout,
        counts=Counter((entry.label, entry.partition) for entry in listing.entries),
        groups=len({entry.group for entry in listing.entries} - {""}),
        issues=listing.issues,
    )
