"""Zip archives, which may be hostile: everything is judged before anything is read, and nothing is ever unpacked.

An archive is refused as a whole. What its table of contents says about sizes is judged first and never trusted
afterwards: reading is bounded.
"""

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.file_names import (
    escape,
    holds_archive,
    is_archive,
    is_image,
    is_leftover,
    is_manifest,
    tidy,
)
from cfu_core.errors import ArchiveError, ImageError
from cfu_core.storage import storage_errors

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,
)
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8_FLAG = 0x800
_ENTRY_BYTES = 300  # of an archive's table of contents, more than a long name needs


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """How much of one archive, upload or file is taken.

    Parameters
    ----------
    entries : int
        Entries of an archive, files of an upload.
    total_bytes : int
        All of an archive, unpacked, or of an upload.
    image_bytes : int
        One image file; larger ones are left out unread.
    entry_ratio, total_ratio : float
        Unpacked bytes for a packed one. Deflate reaches 1,032 on a blank bitmap, which is no crime; a whole
        archive of images does not come near 200.
    entry_ratio_from, total_ratio_from : int
        Unpacked bytes from which the ratios are looked at.
    """

    entries: int = 200_000
    total_bytes: int = 50_000_000_000
    image_bytes: int = 1_000_000_000
    entry_ratio: float = 1_100
    entry_ratio_from: int = 10_000_000
    total_ratio: float = 200
    total_ratio_from: int = 100_000_000


def refused(where: str, why: str) -> ArchiveError:
    """The error that refuses an archive or upload `where` because of `why` (a clause with its own subject)."""
    return ArchiveError(
        f"{where} was refused: {why}.",
        "Nothing of it was kept.",
        "Put only folders of images, and a manifest.csv if you like, into a plain, unencrypted zip.",
    )


class ZipTree:
    """The files of a vetted zip archive. Use as a context manager; `read` may be called from several threads.

    Parameters
    ----------
    path : Path
        The archive.
    limits : ImportLimits

    Attributes
    ----------
    files, folders : list of str
        POSIX paths within the archive, sorted, without what operating systems leave behind.
    issues : list of ImportIssue
        Always empty: what would be one elsewhere refuses an archive.

    Raises
    ------
    ArchiveError
        The archive is hostile, broken or too large.
    """

    refusal = ArchiveError

    def __init__(self, path: Path, *, limits: ImportLimits) -> None:
        self.name = path.name
        self.issues: list[ImportIssue] = []
        self._limits = limits
        self._lock = Lock()
        with storage_errors(path):
            _check_contents_size(path, limits)
            try:
                self._zip = zipfile.ZipFile(path)
            except _BROKEN as error:
                raise refused(self.name, f"it is no complete zip archive ({error})") from error
        try:
            self._members = self._vetted(path.stat().st_size)
        except BaseException:
            self._zip.close()
            raise
        visible = sorted(name for name in self._members if not is_leftover(name))
        self.files = [name for name in visible if not self._members[name].is_dir()]
        self.folders = [name for name in visible if self._members[name].is_dir()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, path: str) -> bytes:
        """The content of one of `files`, never more than its table of contents promised.

        Raises
        ------
        ImageError
            There is no such file (``missing``), or it is larger than an image may be (``too-large``).
        ArchiveError
            The entry is broken, lies about its size, or is itself an archive.
        """
        member = self._members.get(path)
        if member is None:
            raise ImageError(f"{path} is not in the archive.", kind="missing")
        if member.file_size > self._limits.image_bytes:
            raise ImageError(
                f"{path} has {member.file_size:,} bytes; at most {self._limits.image_bytes:,} are read.",
                kind="too-large",
            )
        data = self._content(member, path)
        if len(data) != member.file_size:
            raise refused(self.name, f"the entry {path!r} lies about its size")
        if holds_archive(data):
            raise refused(self.name, f"the entry {path!r} is itself an archive")
        return data

    def ordinary(self, path: str) -> None:
        """No entry lies in a file of its own."""

    def _content(self, member: zipfile.ZipInfo, path: str) -> bytes:
        try:
            with self._lock:  # opening and closing count references, which is not safe between threads
                stream = self._zip.open(member)
            try:
                return stream.read(member.file_size + 1)
            finally:
                with self._lock:
                    stream.close()
        except _BROKEN as error:
            raise refused(self.name, f"the entry {path!r} is broken ({error})") from error

    def _vetted(self, packed_bytes: int) -> dict[str, zipfile.ZipInfo]:
        """The members by their tidied names, once all of them are found harmless."""
        infos, limits = self._zip.infolist(), self._limits
        if len(infos) > limits.entries:
            raise refused(self.name, f"it has {len(infos):,} entries, more than {limits.entries:,}")
        total = sum(info.file_size for info in infos)
        if total > limits.total_bytes:
            raise refused(self.name, f"it unpacks to {total:,} bytes, more than {limits.total_bytes:,}")
        # Against the size of the archive itself: entries may share, or lie about, their packed bytes.
        if total > limits.total_ratio_from and total > limits.total_ratio * packed_bytes:
            raise refused(self.name, f"its {packed_bytes:,} bytes unpack to {total:,}, like a zip bomb")
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = _spelled(info)
            fault = escape(name) or _fault(info, tidy(name), limits)
            if not fault and tidy(name) in members and not (info.is_dir() and members[tidy(name)].is_dir()):
                fault = "is there twice"
            if fault:
                raise refused(self.name, f"the entry {name!r} {fault}")
            members[tidy(name)] = info
        return members


def _fault(info: zipfile.ZipInfo, name: str, limits: ImportLimits) -> str:
    """What is wrong with an entry whose name is harmless, as a phrase; ``""`` where nothing is."""
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a special file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > limits.entry_ratio_from and ratio > limits.entry_ratio:
        return f"unpacks to {ratio:,.0f} times its size, like a zip bomb"
    if info.is_dir() or is_leftover(name):
        return ""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is packed with method {info.compress_type}, not with deflate"
    if is_archive(name):
        return "is itself an archive"
    if not is_image(name) and not is_manifest(name):
        return "is neither an image nor a manifest.csv"
    return ""


def _spelled(info: zipfile.ZipInfo) -> str:
    """The name as the archive spells it: zipfile cuts at NUL, and reads unmarked UTF-8 as code page 437."""
    name = info.orig_filename
    if info.flag_bits & _UTF8_FLAG:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _check_contents_size(path: Path, limits: ImportLimits) -> None:
    """Refuse a huge table of contents unread: zipfile would build an object for each of its entries."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        file.seek(max(0, length - 2**16 - 200))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    try:
        (size,) = struct.unpack_from("<I", tail, end + 12)
        if end >= 76 and tail[end - 20 : end - 16] == b"PK\x06\x07":  # zip64
            (size,) = struct.unpack_from("<Q", tail, end - 76 + 40)
    except struct.error:
        end = -1
    if end < 0:
        raise refused(path.name, "it is no complete zip archive")
    if size > max(limits.entries * _ENTRY_BYTES, 2**20):
        raise refused(path.name, f"its table of contents has {size:,} bytes: too many entries")
