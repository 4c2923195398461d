"""Zip archives as a source of images, which may be hostile: all entries are checked before any is read.

An archive is never unpacked to disk. It is refused as a whole if it is dangerous to unpack or has no readable table of
contents. An entry that only cannot be read, such as an encrypted or a damaged one, is left out like an unreadable file
in a folder. The sizes in the table of contents are checked first but not trusted: the reading of an entry stops one
byte after the size that it declares.
"""

import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import NamedTuple, Self

from cfu_core.dataset.dataset import ImportIssue
from cfu_core.dataset.importing.file_names import (
    is_ignored,
    is_wanted,
    normalise,
    unsafe_reason,
)
from cfu_core.dataset.importing.zip_names import decode_names
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
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "BZIP2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_ENTRY_BYTES = 300  # in the table of contents; enough for an entry with a long name


@dataclass(frozen=True, kw_only=True)
class ImportLimits:
    """Upper limits for an archive, an upload and one image file.

    Only `image_bytes` applies to a folder or a manifest on this computer.

    Attributes
    ----------
    entries : int
        Number of entries of an archive, or of files of an upload; folders in an archive and ignored files count too.
    total_bytes : int
        Unpacked size of an archive, or size of the stored files of an upload, in bytes.
    image_bytes : int
        Size of one image file in bytes. An import leaves out larger images without reading them.
    entry_ratio, total_ratio : float
        Compression ratio (unpacked bytes divided by packed bytes) of one entry and of the whole archive. Deflate
        reaches 1,032 on a blank bitmap, which is legitimate; the ratio of an archive of images is far below 200.
    entry_ratio_from, total_ratio_from : int
        Unpacked size in bytes above which `entry_ratio` and `total_ratio` are checked.
    """

    entries: int = 200_000
    total_bytes: int = 50_000_000_000
    image_bytes: int = 1_000_000_000
    entry_ratio: float = 1_100
    entry_ratio_from: int = 10_000_000
    total_ratio: float = 200
    total_ratio_from: int = 100_000_000


def refused(where: str, why: str) -> ArchiveError:
    """Return the error for an archive or upload that is refused.

    Parameters
    ----------
    where : str
        Name of the archive, or "The upload".
    why : str
        A clause with its own subject, such as "it has 3 entries, more than 2".
    """
    return ArchiveError(
        f"{where} was refused: {why}.",
        "Nothing of it was imported.",
        "Make a new zip, without a password, of the folder with the images.",
    )


class ZipTree:
    """The files of a checked zip archive. Use as a context manager; several threads may call `read` at once.

    Parameters
    ----------
    path : Path
        The archive. Its table of contents is read and checked when the object is created.
    limits : ImportLimits
        Maximum sizes and compression ratios.
    zip_names : str, optional
        Encoding of the names that the archive does not mark as UTF-8, such as ``cp932``. By default it is guessed, see
        `cfu_core.dataset.importing.zip_names`.

    Attributes
    ----------
    name : str
        Name of the source in messages: the name of the archive.
    files, folders : list of str
        POSIX paths within the archive, sorted, without the names for which `is_ignored` returns True. A folder is
        listed only if the archive has an entry for the folder itself. `files` includes entries that cannot be read.
    issues : list of ImportIssue
        The encoding of the names if it was guessed (kind ``encoding``), names that occur twice (``listed-twice``), and
        links that are not named like an image (``link``; these are not in `files`).
    error_type : type
        Class of errors about the whole source, `ArchiveError`.

    Raises
    ------
    ArchiveError
        The file is not a complete zip archive, or exceeds the limits; an entry has an unsafe path; or every image and
        manifest in it is encrypted. `zip_names` is not known or does not fit.
    StorageError
        The user may not read the archive.
    FileNotFoundError
        The archive does not exist.
    """

    error_type = ArchiveError

    def __init__(self, path: Path, *, limits: ImportLimits, zip_names: str | None = None) -> None:
        self.name = path.name
        self.issues: list[ImportIssue] = []
        self._limits = limits
        self._lock = Lock()
        with storage_errors(path):
            _check_contents_size(path, limits)
            try:
                self._zip = zipfile.ZipFile(path)
            except _BROKEN as error:
                raise refused(self.name, f"it is not a complete zip archive ({error})") from error
        try:
            self._members = self._checked_members(path.stat().st_size, zip_names)
        except BaseException:
            self._zip.close()
            raise
        visible = sorted(name for name in self._members if not is_ignored(name))
        self.folders = [name for name in visible if self._members[name].is_dir()]
        self.files = [name for name in visible if not self._members[name].is_dir() and self._is_listed(name)]
        self._refuse_if_encrypted()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, path: str) -> bytes:
        """Return the content of one of `files`.

        Raises
        ------
        ImageError
            Kind ``missing``: there is no such file. ``too-large``: it exceeds ``limits.image_bytes``. ``link``: it is a
            link. ``not-an-image``: it is a special file. ``unreadable``: it is encrypted, compressed in an unsupported
            way or damaged, or its size differs from the one in the table of contents.
        """
        member = self._members.get(path)
        if member is None:
            raise ImageError(f"{path} is not in the archive.", kind="missing")
        fault = _fault(member)
        if fault is not None:
            raise ImageError(f"{path} {fault.reason}.", "", fault.remedy, kind=fault.kind)
        if member.file_size > self._limits.image_bytes:
            raise ImageError(
                f"{path} has {member.file_size:,} bytes; the limit is {self._limits.image_bytes:,}.",
                kind="too-large",
            )
        data = self._content(member, path)
        if len(data) != member.file_size:
            raise _damaged(path, "its size differs from the one in the table of contents")
        return data

    def direct_path(self, path: str) -> None:
        """Return None: no entry is a file on disk."""

    def _content(self, member: zipfile.ZipInfo, path: str) -> bytes:
        try:
            with self._lock:  # opening and closing count references without a lock
                stream = self._zip.open(member)
            try:
                return stream.read(member.file_size + 1)
            finally:
                with self._lock:
                    stream.close()
        except _BROKEN as error:
            raise _damaged(path, error) from error

    def _checked_members(self, packed_bytes: int, encoding: str | None) -> dict[str, zipfile.ZipInfo]:
        """Return the members by their normalised names; raise `ArchiveError` unless all of them are harmless."""
        infos, limits = self._zip.infolist(), self._limits
        if len(infos) > limits.entries:
            raise refused(self.name, f"it has {len(infos):,} entries, more than {limits.entries:,}")
        total = sum(info.file_size for info in infos)
        if total > limits.total_bytes:
            raise refused(self.name, f"it unpacks to {total:,} bytes, more than {limits.total_bytes:,}")
        # Against the size of the archive itself: entries may share their packed bytes or declare wrong sizes.
        if total > limits.total_ratio_from and total > limits.total_ratio * packed_bytes:
            raise refused(self.name, f"its {packed_bytes:,} bytes unpack to {total:,}, like a zip bomb")
        members: dict[str, zipfile.ZipInfo] = {}
        decoded = decode_names(infos, archive=self.name, encoding=encoding)
        if decoded.guess:
            self.issues.append(ImportIssue(path=self.name, kind="encoding", detail=decoded.guess))
        names = decoded.names
        if not any("/" in name for name in names):  # some programs for Windows separate folders by backslashes
            names = [name.replace("\\", "/") for name in names]
        for info, name in zip(infos, names, strict=True):
            fault = unsafe_reason(name) or _bomb_reason(info, limits)
            if fault:
                raise refused(self.name, f"the entry {name!r} {fault}")
            self._add(members, normalise(name), info)
        return members

    def _add(self, members: dict[str, zipfile.ZipInfo], name: str, info: zipfile.ZipInfo) -> None:
        """Add a member; of two with one name a file is preferred to a folder, and the last file, as in unpacking."""
        earlier = members.get(name)
        if earlier is None or (earlier.is_dir() and info.is_dir()):
            members[name] = info
            return
        if not info.is_dir():
            members[name] = info
        if not is_ignored(name):
            detail = f"{name} occurs twice in the archive. The last file of this name is used, as when it is unpacked."
            self.issues.append(ImportIssue(path=name, kind="listed-twice", detail=detail))

    def _is_listed(self, name: str) -> bool:
        """Return whether an entry is a file; a link that is not named like an image may be a folder."""
        fault = _fault(self._members[name])
        if fault is None or fault.kind != "link" or is_wanted(name):
            return True
        detail = f"{name} is a link. Links in an archive are not followed."
        self.issues.append(ImportIssue(path=name, kind="link", detail=detail))
        return False

    def _refuse_if_encrypted(self) -> None:
        wanted = [name for name in self.files if is_wanted(name)]
        if wanted and all(self._members[name].flag_bits & _ENCRYPTED for name in wanted):
            raise refused(self.name, "all its images are encrypted")


class _Fault(NamedTuple):
    """Why an entry cannot be read: kind of `ImageError`, a phrase, and what to do."""

    kind: str
    reason: str
    remedy: str = ""


def _fault(info: zipfile.ZipInfo) -> _Fault | None:
    form = stat.S_IFMT(info.external_attr >> 16)
    if form == stat.S_IFLNK:
        return _Fault("link", "is a link, and links in an archive are not followed", "Put the file itself into it.")
    if form not in (0, stat.S_IFREG, stat.S_IFDIR):
        return _Fault("not-an-image", "is not a regular file")
    if info.flag_bits & _ENCRYPTED:
        return _Fault("unreadable", "is encrypted", "Make the zip without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"number {info.compress_type}")
        reason = f"is compressed with the method {method}, which is not supported"
        return _Fault("unreadable", reason, "Make the zip with the method Deflate.")
    return None


def _bomb_reason(info: zipfile.ZipInfo, limits: ImportLimits) -> str:
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > limits.entry_ratio_from and ratio > limits.entry_ratio:
        return f"unpacks to {ratio:,.0f} times its size, like a zip bomb"
    return ""


def _damaged(path: str, reason: object) -> ImageError:
    return ImageError(
        f"{path} is damaged in the archive ({reason}).", "", "Make the zip again, or copy it again from its source."
    )


def _check_contents_size(path: Path, limits: ImportLimits) -> None:
    """Refuse a huge table of contents before zipfile makes an object for each of its entries."""
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
        raise refused(path.name, "it is not a complete zip archive")
    if size > max(limits.entries * _ENTRY_BYTES, 2**20):
        raise refused(path.name, f"its table of contents has {size:,} bytes: too many entries")
