"""Packs of the image store: many small images in one file, since making a file takes longer than hashing what is in it.

A pack is `<name>.data`, the files of its images one after the other, and `<name>.index`, a record an image, sorted by
digest. Neither ever changes; a pack goes when no dataset uses any of its images. Each process of a large import writes
one, and an image that the source holds twice may be in two of them. Nothing heavy is imported here: see `carrying`.
"""

import os
import struct
from bisect import bisect_left
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache

PACKS = "packs"  # their folder in the image store, beside those for images in files of their own
SMALL = 2**16  # bytes; of a larger image, making a file for it is a small part of the work

_RECORD = struct.Struct(">32sQI")  # digest, first byte, length
_KEY = 32


class Pack:
    """A pack that is there.

    Parameters
    ----------
    base : str
        Its path, without a suffix.

    Raises
    ------
    FileNotFoundError
    """

    def __init__(self, base: str) -> None:
        self.base = base
        with open(f"{base}.index", "rb") as file:  # noqa: PTH123
            self._records = file.read()
        self._places = range(len(self._records) // _RECORD.size)
        self._length = os.stat(f"{base}.data").st_size  # noqa: PTH116

    def find(self, digest: str) -> tuple[int, int] | None:
        """First byte and length of an image; None where it is not there, or not in its full length."""
        key = bytes.fromhex(digest)
        place = bisect_left(self._places, key, key=self._key)
        if place == len(self._places) or self._key(place) != key:
            return None
        _, first, length = _RECORD.unpack_from(self._records, place * _RECORD.size)
        return (first, length) if first + length <= self._length else None  # a power cut may have left it shorter

    def digests(self) -> Iterator[str]:
        """SHA-256 (hex) of every image."""
        return (self._key(place).hex() for place in self._places)

    def _key(self, place: int) -> bytes:
        start = place * _RECORD.size
        return self._records[start : start + _KEY]


class PackWriter:
    """A new pack, for one process and thread.

    Parameters
    ----------
    folder : str
        It is made with the first image.
    """

    def __init__(self, folder: str) -> None:
        self._folder, self._base = folder, f"{folder}/{os.urandom(16).hex()}"
        self._records: dict[str, bytes] = {}
        self._waiting: list[bytes] = []
        self._end = 0

    def add(self, digest: str, data: bytes) -> None:
        """Take an image, unless it is in this pack already. It is on the disk after the next `flush`."""
        if digest not in self._records:
            self._records[digest] = _RECORD.pack(bytes.fromhex(digest), self._end, len(data))
            self._waiting.append(data)
            self._end += len(data)

    def flush(self) -> None:
        """Write what was added. On an OSError the pack is lost."""
        if self._waiting:
            os.makedirs(self._folder, exist_ok=True)  # noqa: PTH103
            with open(f"{self._base}.data", "ab") as file:  # noqa: PTH123
                file.write(b"".join(self._waiting))
            self._waiting.clear()

    def finish(self) -> None:
        """Write what was added, and the index; only then it is a pack."""
        self.flush()
        if self._records:
            with open(f"{self._base}.index", "wb") as file:  # noqa: PTH123
                file.write(b"".join(sorted(self._records.values())))


def packs(folder: str) -> Iterator[Pack]:
    """The packs in a folder, which need not exist."""
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except FileNotFoundError:
        return
    for name in sorted(names):
        if name.endswith(".index"):
            with suppress(FileNotFoundError):  # it was removed a moment ago
                yield _opened(f"{folder}/{name.removesuffix('.index')}")


@lru_cache(maxsize=256)
def _opened(base: str) -> Pack:
    return Pack(base)


def find_packed(folder: str, digest: str) -> Pack | None:
    """The pack that holds an image in its full length."""
    return next((pack for pack in packs(folder) if pack.find(digest)), None)


def read_packed(folder: str, digest: str) -> bytes | None:
    """The image with this SHA-256 (hex) from the packs in a folder; None where none holds it."""
    for pack in packs(folder):
        place = pack.find(digest)
        if place:
            with suppress(FileNotFoundError), open(f"{pack.base}.data", "rb") as file:  # noqa: PTH123
                file.seek(place[0])
                return file.read(place[1])
    return None


def remove_packs(folder: str, *, used: Collection[str]) -> None:
    """Remove the packs of which no image is among the digests `used`."""
    for pack in list(packs(folder)):
        if not any(digest in used for digest in pack.digests()):
            for suffix in (".index", ".data"):
                os.unlink(f"{pack.base}{suffix}")  # noqa: PTH108
