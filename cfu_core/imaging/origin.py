"""Where an image comes from, as its file states it: camera and time, from EXIF data or from the tags of a TIFF."""

import io
from collections.abc import Mapping
from typing import Any, NamedTuple

from tifffile import TiffFile

from cfu_core.imaging.file_formats import exif_block


class Origin(NamedTuple):
    """What a file states about its origin; texts are empty where it states nothing.

    Attributes
    ----------
    camera : str
        Maker and model, for example ``Canon EOS 5D``.
    taken : str
        Time of the exposure, otherwise of the file, as the file states it: ``2024:05:31 14:07:09``.
    """

    camera: str
    taken: str


def read_origin(data: bytes, kind: str) -> Origin:
    """Read camera and time from an image file.

    Parameters
    ----------
    data : bytes
        The whole file.
    kind : str
        ``JPEG``, ``PNG``, ``BMP`` or ``TIFF``.

    Returns
    -------
    Origin
        Empty texts if the file states nothing, or if its tags cannot be read.
    """
    block = data if kind == "TIFF" else exif_block(data, kind)
    if not block:
        return Origin("", "")
    try:
        with TiffFile(io.BytesIO(block)) as file:
            tags = {tag.name: tag.value for tag in file.pages.first.tags}
    except Exception:  # noqa: BLE001 - tags of any damage; the pixels can be read nevertheless
        return Origin("", "")
    details = tags.get("ExifTag")
    times = (details if isinstance(details, Mapping) else {}).get("DateTimeOriginal") or tags.get("DateTime")
    maker, model = _text(tags.get("Make")), _text(tags.get("Model"))
    named = model if model.startswith(maker) else f"{maker} {model}"
    return Origin(named.strip() or maker, _text(times))


def _text(value: Any) -> str:
    return value.strip(" \0\t\r\n") if isinstance(value, str) else ""
