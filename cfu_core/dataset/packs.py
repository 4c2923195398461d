"""Packs of the image store: many small images in one file, because creating a file takes longer than hashing it.

A pack is `<name>.data`, the concatenated files of its images, and `<name>.index`, one record per image, sorted by
digest. Both are immutable; a pack is deleted when no dataset uses any of its images. Each process of a large import
writes one pack, and an image that occurs twice in the source may be in two packs. This module imports no large
library, because the worker processes of an import start it: see `cfu_core.dataset.importing.copying`.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache

PACKS = "packs"  # name of their folder in the image store
SMALL = 2**16  # bytes; for a larger image, the time to create a file is negligible

_RECORD = struct.Struct(">32sQI")  # digest, first byte, length
_KEY = 32


class Pack:
    """A pack on disk, opened for reading.

    Parameters
    ----------
    base : str
        Path of the pack without a suffix.

    Raises
    ------
    FileNotFoundError
        If one of the two files of the pack does not exist.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        with open(f"{base}.index", "rb") as file:  # noqa: PTH123
            self._records = file.read()
        self._places = range(len(self._records) // _RECORD.size)
        self._length = os.stat(f"{base}.data").st_size  # noqa: PTH116

    def find(self, digest: str) -> tuple[int, int] | None:
        """Return the offset and the length of an image in the data file, in bytes; None if it is missing or truncated.

        Parameters
        ----------
        digest : str
            SHA-256 (hex) of the image file.
        """
        key = bytes.fromhex(digest)
        place = bisect_left(self._places, key, key=self._key)
        if place == len(self._places) or self._key(place) != key:
            return None
        _, first, length = _RECORD.unpack_from(self._records, place * _RECORD.size)
        return (first, length) if first + length <= self._length else None  # a power cut may have truncated the file

    def read(self, digest: str) -> bytes | None:
        """Return the stored content of an image; None if it is missing or truncated, or the pack was deleted.

        Parameters
        ----------
        digest : str
            SHA-256 (hex) of the image file. The content is not compared with it.
        """
        place = self.find(digest)
        if place is None:
            return None
        try:
            with open(f"{self.base}.data", "rb") as file:  # noqa: PTH123
                file.seek(place[0])
                return file.read(place[1])
        except FileNotFoundError:
            return None

    def digests(self) -> Iterator[str]:
        """Iterate over the SHA-256 (hex) of every image, in ascending order."""
        return (self._key(place).hex() for place in self._places)

    def _key(self, place: int) -> bytes:
        start = place * _RECORD.size
        return self._records[start : start + _KEY]


class PackWriter:
    """Writer of a new pack with a random name, for one process and thread.

    The pack can be read after `finish`; without any image, no file is written.

    Parameters
    ----------
    folder : str
        Folder of the packs; created with the first image.
    """

    def __init__(self, folder: str) -> None:
        self._folder, self._base = folder, f"{folder}/{os.urandom(16).hex()}"
        self._records: dict[str, bytes] = {}
        self._pending: list[bytes] = []
        self._end = 0

    def add(self, digest: str, data: bytes) -> None:
        """Add an image unless this pack already contains it. It is written to disk by the next `flush` or `finish`.

        Parameters
        ----------
        digest : str
            SHA-256 (hex) of `data`.
        data : bytes
            Content of the image file.
        """
        if digest not in self._records:
            self._records[digest] = _RECORD.pack(bytes.fromhex(digest), self._end, len(data))
            self._pending.append(data)
            self._end += len(data)

    def flush(self) -> None:
        """Write the images that were added since the last call.

        Raises
        ------
        OSError
            The disk is full, or the folder is not writable. The pack is unusable then.
        """
        if self._pending:
            os.makedirs(self._folder, exist_ok=True)  # noqa: PTH103
            with open(f"{self._base}.data", "ab") as file:  # noqa: PTH123
                file.write(b"".join(self._pending))
            self._pending.clear()

    def finish(self) -> None:
        """Write the remaining images and the index, which completes the pack.

        Raises
        ------
        OSError
            As from `flush`.
        """
        self.flush()
        if self._records:
            with open(f"{self._base}.index", "wb") as file:  # noqa: PTH123
                file.write(b"".join(sorted(self._records.values())))


def packs(folder: str) -> Iterator[Pack]:
    """Iterate over the complete packs in a folder, sorted by name; none if the folder does not exist.

    Raises
    ------
    OSError
        If the folder or a pack is not readable.
    """
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return
    for name in sorted(names):
        if name.endswith(".index"):
            with suppress(FileNotFoundError):  # another process may have removed it
                yield _opened(f"{folder}/{name.removesuffix('.index')}")


@lru_cache(maxsize=256)
def _opened(base: str) -> Pack:
    return Pack(base)


def find_packed(folder: str, digest: str) -> Pack | None:
    """Return the first pack in a folder that contains the image with this SHA-256 (hex) in full; None if none does.

    Raises
    ------
    OSError
        As from `packs`.
    """
    return next((pack for pack in packs(folder) if pack.find(digest)), None)


def read_packed(folder: str, digest: str) -> bytes | None:
    """Return the file of the image with this SHA-256 (hex) from the packs in a folder; None if no pack contains it.

    Raises
    ------
    OSError
        As from `packs`.
    """
    contents = (pack.read(digest) for pack in packs(folder))
    return next((content for content in contents if content is not None), None)


def remove_packs(folder: str, *, used: Collection[str]) -> None:
    """Delete the packs in a folder of which no image is used.

    Parameters
    ----------
    folder : str
        Folder of the packs; it need not exist.
    used : collection of str
        SHA-256 (hex) of the images that must be kept. A pack with at least one of them is kept as a whole.

    Raises
    ------
    OSError
        If the folder is not writable, or another process has deleted a file of a pack.
    """
    for pack in list(packs(folder)):
        if not any(digest in used for digest in pack.digests()):
            for suffix in (".index", ".data"):
                os.unlink(f"{pack.base}{suffix}")  # noqa: PTH108
