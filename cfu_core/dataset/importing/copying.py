"""One ordinary image on its way from its file into a staging folder: read, checked, hashed, written.

This also runs in processes of its own, which must start at once, so nothing heavy is imported here. Paths are text and
files are opened by number: for small images, all else would take longer than the images themselves.
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
from cfu_core.imaging.file_formats import png_intact
from cfu_core.imaging.headers import FORMAT_EXTENSIONS, ImageHeader, check_structure, image_format

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
# Nobody waits at a pipe, and a link is followed only by those who look where it leads.
_ORDINARY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
CAN_TELL_LINKS = hasattr(os, "O_NOFOLLOW")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Carried(NamedTuple):
    """What is known of an image that was carried; columns of a dataset's table."""

    digest: str
    extension: str
    size_bytes: int
    width: int
    height: int


class Shelf:
    """A staging folder, laid out like the image store. A file on it is written once, under its last name.

    Parameters
    ----------
    folder, store : str
        The staging folder, and the image store.
    """

    def __init__(self, folder: str, store: str) -> None:
        self._folder, self._store = folder, store
        self._parts = _listed(store)  # when the import began
        self._made: set[str] = set()
        self._held: set[str] = set()
        self._pack: PackWriter | None = None

    def pack_small(self) -> None:
        """From now on keep small images in a pack. Then it serves one process and thread only, and needs `finish`."""
        self._pack = PackWriter(f"{self._folder}/{PACKS}")

    def keep(self, digest: str, extension: str, data: bytes) -> None:
        """Take an image, unless it is here already. Safe to call from several threads and processes.

        Raises
        ------
        OSError
            It could not be written. What is half-written then must go with the whole folder.
        """
        part = digest[:2]
        name = f"{part}/{digest}{extension}"  # as in `image_store.image_file`
        staged = f"{self._folder}/{name}"
        # What another import adds in the meantime is found when this one moves in.
        if part in self._parts and is_whole(f"{self._store}/{name}", len(data)):
            self._make(part)
            if _linked(f"{self._store}/{name}", staged):
                return
        if PACKS in self._parts and self._hold(find_packed(f"{self._store}/{PACKS}", digest)):
            return
        if self._pack is not None and len(data) <= SMALL:
            self._pack.add(digest, data)
            return
        self._make(part)
        with suppress(FileExistsError):  # the source holds the same image twice
            _write(staged, data)

    def flush(self) -> None:
        """Write what waits; OSError as from `keep`."""
        if self._pack is not None:
            self._pack.flush()

    def finish(self) -> None:
        """Complete the pack, if there is one; OSError as from `keep`."""
        if self._pack is not None:
            self._pack.finish()

    def _hold(self, pack: Pack | None) -> bool:
        """Make sure that a pack of the store outlives a deletion while this import runs."""
        if pack is not None and pack.base not in self._held:
            self._make(PACKS)
            staged = f"{self._folder}/{PACKS}/{os.path.basename(pack.base)}"  # noqa: PTH119
            if not all(_linked(pack.base + suffix, staged + suffix) for suffix in (".index", ".data")):
                return False
            self._held.add(pack.base)
        return pack is not None

    def _make(self, part: str) -> None:
        if part not in self._made:
            os.makedirs(f"{self._folder}/{part}", exist_ok=True)  # noqa: PTH103
            self._made.add(part)


def _listed(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208
    except FileNotFoundError:
        return frozenset()


def _linked(stored: str, staged: str) -> bool:
    """A link costs little, and survives a deletion of what is stored. Not every disk has links."""
    try:
        os.link(stored, staged)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def _write(file: str, data: bytes) -> None:
    descriptor = os.open(file, _NEW, 0o666)
    try:
        written = os.write(descriptor, data)
        while written < len(data):  # the disk may be all but full
            written += os.write(descriptor, data[written:])
    finally:
        os.close(descriptor)


def is_whole(file: str, size: int) -> bool:
    """Whether a stored image is there in its full length; a power cut may have left a shorter one."""
    try:
        return os.stat(file).st_size == size  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return False


def read_ordinary(file: str, *, most: int) -> bytes | None:
    """The content of a plain file of up to `most` bytes; None for a link, and for whatever cannot be read."""
    try:
        descriptor = os.open(file, _ORDINARY)
    except (OSError, ValueError):  # ValueError: a NUL in the path
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return None
        data = os.read(descriptor, status.st_size)
        while len(data) < status.st_size and (more := os.read(descriptor, status.st_size - len(data))):
            data += more
        return data
    except OSError:
        return None
    finally:
        os.close(descriptor)


def put(data: bytes, header: ImageHeader, shelf: Shelf | None) -> Carried:
    """Hash an image and put it on the shelf, if there is one; OSError where that fails."""
    digest, extension = hashlib.sha256(data).hexdigest(), FORMAT_EXTENSIONS[header.format]
    if shelf is not None:
        shelf.keep(digest, extension, data)
    return Carried(digest, extension, len(data), header.width, header.height)


def carry(file: str, shelf: Shelf | None, *, most: int) -> Carried | None:
    """Read, check, hash and keep a usual JPEG or PNG in a plain file; None where anything is out of the ordinary."""
    data = read_ordinary(file, most=most)
    if data is None or image_format(data) not in ("JPEG", "PNG"):
        return None
    try:
        header = check_structure(data, name=file)
    except ImageError:
        return None
    if not header.usual or (header.format == "PNG" and not png_intact(data)):
        return None
    return put(data, header, shelf)


def in_time(work: Callable[[_Item], _Result], items: Sequence[_Item], seconds: float) -> list[_Result]:
    """`work` of as many items as there is time for, but at least of one."""
    results, until = [], time.monotonic() + seconds
    for item in items:
        results.append(work(item))
        if time.monotonic() >= until:
            break
    return results


def serve() -> None:
    """Carry images as a `hands.Hand`.

    First comes (shelf, most), then (list of files, seconds that they may take). An answer tells of as many files as
    there was time for, but at least one. At last comes an empty list, and its answer when all is on the disk.
    """
    worker_process.serve(_begin)


def _begin(first: tuple[Shelf | None, int]) -> Callable[[tuple[Sequence[str], float]], list[Carried | None]]:
    shelf, most = first
    if shelf is not None:
        shelf.pack_small()

    def work(question: tuple[Sequence[str], float]) -> list[Carried | None]:
        files, seconds = question
        found = in_time(lambda file: carry(file, shelf, most=most), files, seconds)
        if shelf is not None:
            shelf.flush() if files else shelf.finish()
        return found

    return work
