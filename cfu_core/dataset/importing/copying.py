"""Copying images into a staging folder: read, check, hash and write usual JPEG and PNG files.

This module also runs in worker processes, which must start quickly, so it imports nothing heavy. Paths are strings and
files are opened with `os.open`: for small images, everything else takes longer than the copying itself.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from cfu_core import worker_process
from cfu_core.dataset.packs import PACKS, SMALL, Pack, PackWriter, find_packed
from cfu_core.errors import ImageError
from cfu_core.imaging.file_formats import png_depth, png_intact
from cfu_core.imaging.headers import FORMAT_EXTENSIONS, ImageHeader, check_structure, image_format

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Opening a pipe must not block, and links are followed only where their target is checked (`FolderTree.read`).
_REGULAR_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
HAS_NOFOLLOW = hasattr(os, "O_NOFOLLOW")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class CopiedImage(NamedTuple):
    """Digest, format and size of a copied image; the names of the fields are columns of a dataset's table.

    Attributes
    ----------
    digest : str
        SHA-256 (hex) of the file.
    extension : str
        Extension by the format of the content, as in `cfu_core.imaging.headers.FORMAT_EXTENSIONS`.
    size_bytes : int
        Size of the file in bytes.
    width, height : int
        Size in pixels, with the EXIF orientation applied.
    """

    digest: str
    extension: str
    size_bytes: int
    width: int
    height: int


class StagingWriter:
    """Writer of images into a staging folder, which has the layout of the image store.

    An image is written under its final name. If the image store has it already, it is linked instead of written, so
    that it remains if another dataset is deleted during the import. Without hard links, or if its content in a pack is
    damaged, it is written again. A writer can be pickled, and copies of it in several processes may write into the same
    staging folder.

    Parameters
    ----------
    folder : str
        Path of the staging folder; created when needed.
    store : str
        Path of the image store; it need not exist. Its folders are listed once, when the object is created.

    Raises
    ------
    OSError
        The image store is not readable.
    """

    def __init__(self, folder: str, store: str) -> None:
        self._folder, self._store = folder, store
        self._store_entries = _list_folder(store)  # at the beginning of the import
        self._made_folders: set[str] = set()
        self._linked_packs: set[str] = set()
        self._pack: PackWriter | None = None

    def pack_small_images(self) -> None:
        """Write images of at most `cfu_core.dataset.packs.SMALL` bytes into a pack from now on.

        The writer may then be used by one thread only, and the pack must be completed with `finish`. Call this method
        after pickling, separately in each process: copies that are made after the call would write into the same pack.
        """
        self._pack = PackWriter(f"{self._folder}/{PACKS}")

    def add(self, digest: str, extension: str, data: bytes) -> None:
        """Write an image unless it is in the store or the staging folder already.

        Several threads may call it at once unless small images are packed. A packed image is kept in memory until
        `flush` or `finish` is called.

        Parameters
        ----------
        digest : str
            SHA-256 (hex) of `data`; it is not checked.
        extension : str
            Extension of the file, with its dot. A pack does not store it.
        data : bytes
            Content of the image file.

        Raises
        ------
        OSError
            The disk is full, the staging folder is not writable, or the image store is not readable. An incomplete file
            may remain in the staging folder.
        """
        subfolder = digest[:2]
        name = f"{subfolder}/{digest}{extension}"  # as in `image_store.image_file`
        staged = f"{self._folder}/{name}"
        # An image that another import adds in the meantime is found when this import moves its images into the store.
        if subfolder in self._store_entries and is_complete(f"{self._store}/{name}", len(data)):
            self._make_folder(subfolder)
            if _link(f"{self._store}/{name}", staged):
                return
        pack = find_packed(f"{self._store}/{PACKS}", digest) if PACKS in self._store_entries else None
        stored = pack.read(digest) if pack is not None else None
        if pack is not None and stored == data and self._link_pack(pack):
            return
        # Instead of a damaged image in a pack a separate file is written, because it is read in preference.
        is_damaged = stored is not None and stored != data
        if self._pack is not None and len(data) <= SMALL and not is_damaged:
            self._pack.add(digest, data)
            return
        self._make_folder(subfolder)
        with suppress(FileExistsError):  # the source has the same image twice
            _write(staged, data)

    def flush(self) -> None:
        """Write the packed images that are still in memory to the disk; do nothing if small images are not packed.

        Raises
        ------
        OSError
            The disk is full, or the staging folder is not writable. The pack is unusable then.
        """
        if self._pack is not None:
            self._pack.flush()

    def finish(self) -> None:
        """Complete the pack; do nothing if small images are not packed.

        Raises
        ------
        OSError
            The disk is full, or the folder is not writable.
        """
        if self._pack is not None:
            self._pack.finish()

    def _link_pack(self, pack: Pack) -> bool:
        """Link a pack of the store into the staging folder, so that no deletion removes it during the import."""
        if pack.base not in self._linked_packs:
            self._make_folder(PACKS)
            staged = f"{self._folder}/{PACKS}/{os.path.basename(pack.base)}"  # noqa: PTH119
            if not all(_link(pack.base + suffix, staged + suffix) for suffix in (".index", ".data")):
                return False
            self._linked_packs.add(pack.base)
        return True

    def _make_folder(self, name: str) -> None:
        if name not in self._made_folders:
            os.makedirs(f"{self._folder}/{name}", exist_ok=True)  # noqa: PTH103
            self._made_folders.add(name)


def _list_folder(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return frozenset()


def _link(stored: str, staged: str) -> bool:
    """Link a stored file; False where the file system has no hard links. A link is cheap and survives a deletion."""
    try:
        os.link(stored, staged)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def _write(file: str, data: bytes) -> None:
    descriptor = os.open(file, _NEW_FILE, 0o666)
    try:
        written = os.write(descriptor, data)
        while written < len(data):  # the disk may be nearly full
            written += os.write(descriptor, data[written:])
    finally:
        os.close(descriptor)


def is_complete(file: str, size: int) -> bool:
    """Return whether a file exists and has `size` bytes; after a power cut, a stored image may be shorter."""
    try:
        return os.stat(file).st_size == size  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False


def read_regular_file(file: str, *, max_bytes: int) -> bytes | None:
    """Return the content of a regular file.

    Parameters
    ----------
    file : str
        Path of the file.
    max_bytes : int
        A file with more bytes is not read.

    Returns
    -------
    bytes or None
        None if the file is larger, is a link or a special file, or cannot be read. A link is followed where the system
        cannot refuse it (`HAS_NOFOLLOW` is False), and links among the folders of the path are always followed.
    """
    try:
        descriptor = os.open(file, _REGULAR_FILE)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        data = os.read(descriptor, status.st_size)
        while len(data) < status.st_size and (more := os.read(descriptor, status.st_size - len(data))):
            data += more
        return data
    except OSError:
        return None
    finally:
        os.close(descriptor)


def hash_and_write(data: bytes, header: ImageHeader, writer: StagingWriter | None) -> CopiedImage:
    """Hash an image and write it into the staging folder.

    Parameters
    ----------
    data : bytes
        Content of the image file.
    header : ImageHeader
        Format and size of this image; they are not compared with `data`.
    writer : StagingWriter or None
        If None, the image is only hashed.

    Raises
    ------
    OSError
        The disk is full, or the staging folder is not writable.
    """
    digest, extension = hashlib.sha256(data).hexdigest(), FORMAT_EXTENSIONS[header.format]
    if writer is not None:
        writer.add(digest, extension, data)
    return CopiedImage(digest, extension, len(data), header.width, header.height)


def copy_image(file: str, writer: StagingWriter | None, *, max_bytes: int) -> CopiedImage | None:
    """Read, check, hash and write an image without decoding it.

    Parameters
    ----------
    file : str
        Path of the image. Its format is recognised by its content; its extension is ignored.
    writer : StagingWriter or None
        If None, the image is only checked and hashed.
    max_bytes : int
        A file with more bytes is not read.

    Returns
    -------
    CopiedImage or None
        None, and nothing is written, if the file needs a full check (`cfu_core.imaging.reading.check`): it is neither a
        JPEG nor a PNG; it is a PNG of 16 bits or a rare kind of these; it is damaged or too large; or
        `read_regular_file` does not read it, for example because it is a link.

    Raises
    ------
    OSError
        The disk is full, the staging folder is not writable, or the image store is not readable.
    """
    data = read_regular_file(file, max_bytes=max_bytes)
    if data is None or image_format(data) not in ("JPEG", "PNG"):
        return None
    try:
        header = check_structure(data, name=file)
    except ImageError:
        return None
    if not header.usual or (header.format == "PNG" and (png_depth(data) == 16 or not png_intact(data))):
        return None
    return hash_and_write(data, header, writer)


def apply_within(function: Callable[[_Item], _Result], items: Sequence[_Item], *, seconds: float) -> list[_Result]:
    """Apply a function to the first items, until a time limit is reached.

    Parameters
    ----------
    function : callable
        Receives an item and returns its result. An exception that it raises is not caught.
    items : sequence
        Items in the order in which they are processed.
    seconds : float
        Time limit. It is checked after each item; a running call is not interrupted.

    Returns
    -------
    list
        Results of the first items, in order; of at least one item, unless `items` is empty.
    """
    results, deadline = [], time.monotonic() + seconds
    for item in items:
        results.append(function(item))
        if time.monotonic() >= deadline:
            break
    return results


def serve() -> None:
    """Copy images in a `WorkerProcess`.

    The first message is ``(writer, max_bytes)``, as for `copy_image`; the writer packs small images. A question is
    ``(files, seconds)``; its answer is the list of `copy_image` results of the first files, as many as the seconds
    allow and at least one. These images are written before the answer is sent. The question None completes the pack of
    small images; its answer is an empty list.
    """
    worker_process.serve(_initialise)


_Question = tuple[Sequence[str], float] | None


def _initialise(first: tuple[StagingWriter | None, int]) -> Callable[[_Question], list[CopiedImage | None]]:
    writer, max_bytes = first
    if writer is not None:
        writer.pack_small_images()

    def answer_question(question: _Question) -> list[CopiedImage | None]:
        if question is None:
            if writer is not None:
                writer.finish()
            return []
        files, seconds = question
        copied = apply_within(lambda file: copy_image(file, writer, max_bytes=max_bytes), files, seconds=seconds)
        if writer is not None:
            writer.flush()
        return copied

    return answer_question
