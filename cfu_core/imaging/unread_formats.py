"""Formats that are recognised by their first bytes in order to name them, but are not read.

imagecodecs could recognise some of the image formats, but importing it takes longer than an import of small images.
"""

import re
from typing import NamedTuple

#: Extensions of files whose content decides whether they are read, beside `cfu_core.imaging.headers.EXTENSIONS`.
OTHER_EXTENSIONS = (
    *(".jpe", ".jfif", ".jif", ".mpo", ".apng", ".dib"),  # other names of JPEG, PNG and BMP
    *(".j2k", ".j2c", ".jpf", ".jpx", ".jpm"),  # other names of JPEG 2000
    *(".heic", ".heif", ".hif", ".avif", ".jxl", ".jxr", ".wdp"),
    *(".psd", ".svg", ".ico", ".exr", ".hdr", ".pbm", ".pgm", ".ppm", ".pnm"),
    *(".czi", ".nd2", ".lif", ".oib", ".dcm", ".fits", ".raf", ".orf", ".rw2", ".cr3"),
)


class UnreadFormat(NamedTuple):
    """A format that is not read.

    Attributes
    ----------
    name : str
        Name in a sentence, such as ``HEIC`` or ``a web page (HTML)``.
    remedy : str
        What the user can do with the file, as a sentence.
    """

    name: str
    remedy: str = "Save it as PNG or TIFF."


_UNPACK = "Unpack it."
_WEB_PAGE = UnreadFormat("a web page (HTML)", "Download the image again.")
_ARCHIVE = UnreadFormat("an archive", _UNPACK)
_VIDEO = UnreadFormat("a video", "Save single frames as PNG or TIFF.")
_HEIC = UnreadFormat(
    "HEIC", "Save it as JPEG, PNG or TIFF. An iPhone takes JPEGs if the format of its camera is Most Compatible."
)
_AVIF, _PNM = UnreadFormat("AVIF"), UnreadFormat("PNM")
_RAW = UnreadFormat("a raw file of a camera")
_FORMATS = {
    b"\0\0\0\x0cJXL \r\n\x87\n": UnreadFormat("JPEG XL"),
    b"\xff\x0a": UnreadFormat("JPEG XL"),
    b"II\xbc\x01": UnreadFormat("JPEG XR"),
    b"8BPS": UnreadFormat("a Photoshop document"),
    b"\x76\x2f\x31\x01": UnreadFormat("OpenEXR"),
    b"#?RADIANCE": UnreadFormat("Radiance HDR"),
    b"\0\0\1\0": UnreadFormat("an icon (ICO)"),
    b"ZISRAWFILE": UnreadFormat("a Zeiss CZI file"),
    b"\xda\xce\xbe\x0a": UnreadFormat("a Nikon ND2 file"),
    b"\x70\0\0\0": UnreadFormat("a Leica LIF file"),
    b"\x89HDF\r\n\x1a\n": UnreadFormat("an HDF5 file"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": UnreadFormat("an OLE file, such as OIB of Olympus or an old Office document"),
    b"SIMPLE  =": UnreadFormat("FITS"),
    b"FUJIFILMCCD-RAW": _RAW,
    b"IIRO": _RAW,
    b"IIRS": _RAW,
    b"MMOR": _RAW,
    b"IIU\0": _RAW,
    b"%PDF-": UnreadFormat("a PDF document", "Save its images as PNG or TIFF."),
    b"PK\x03\x04": UnreadFormat("a zip archive or an Office document", _UNPACK),
    b"PK\x05\x06": UnreadFormat("an empty zip archive"),
    b"Rar!\x1a\x07": _ARCHIVE,
    b"7z\xbc\xaf\x27\x1c": _ARCHIVE,
    b"\x1f\x8b": _ARCHIVE,
    b"BZh": _ARCHIVE,
    b"\xfd7zXZ\0": _ARCHIVE,
    b"\x28\xb5\x2f\xfd": _ARCHIVE,
}
_CONTAINERS = {  # by the name of a container at byte 8
    b"RIFF": {b"AVI ": _VIDEO},
}
_AVIF_BRANDS = (b"avif", b"avis")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def unread_format(data: bytes) -> UnreadFormat | None:
    """Recognise a format that is not read by the first bytes of a file.

    Parameters
    ----------
    data : bytes
        The file, or at least its first 1,000 bytes.

    Returns
    -------
    UnreadFormat or None
        None if the content is not recognised, and for the formats that are read.
    """
    for start, found in _FORMATS.items():
        if data.startswith(start):
            return found
    if data[:4] in _CONTAINERS:
        return _CONTAINERS[data[:4]].get(data[8:12])
    if data[4:8] == b"ftyp":
        return _by_brand(data)
    if data[128:132] == b"DICM":
        return UnreadFormat("DICOM")
    if data[257:262] == b"ustar":
        return _ARCHIVE
    if re.match(rb"P[1-7]\s+(#|\d|WIDTH)", data):
        return _PNM
    return _by_tag(data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower())


def _by_brand(data: bytes) -> UnreadFormat:
    """Recognise a file in the container of MP4; it lists the formats that it conforms to."""
    brands = {data[place : place + 4] for place in range(8, min(int.from_bytes(data[:4], "big"), 200), 4)}
    if brands & {*_AVIF_BRANDS}:
        return _AVIF
    if brands & {*_HEIC_BRANDS}:
        return _HEIC
    return _RAW if b"crx " in brands else _VIDEO


def _by_tag(start: bytes) -> UnreadFormat | None:
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return _WEB_PAGE
    if start.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in start:
        return UnreadFormat("SVG, a drawing")
    return None
