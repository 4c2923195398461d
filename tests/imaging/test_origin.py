import io
import struct

import cv2
import numpy as np
import pytest
import tifffile

from cfu_core.imaging.origin import Origin, read_origin

PIXELS = np.zeros((8, 8, 3), np.uint8)


def exif(**texts: str) -> bytes:
    """An EXIF block, in big-endian order, with texts by the number of their tag."""
    entries, values = b"", b""
    start = 8 + 2 + 12 * len(texts) + 4
    for name, text in sorted(texts.items(), key=lambda item: int(item[0][1:])):
        value = text.encode() + b"\0\0\0\0"  # too long to be stored within the entry
        entries += struct.pack(">HHII", int(name[1:]), 2, len(value), start + len(values))
        values += value
    return b"MM\0*" + struct.pack(">IH", 8, len(texts)) + entries + struct.pack(">I", 0) + values


def jpeg(block: bytes) -> bytes:
    plain = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    content = b"Exif\0\0" + block
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + plain[2:]


def png(block: bytes) -> bytes:
    plain = cv2.imencode(".png", PIXELS)[1].tobytes()
    return plain[:33] + struct.pack(">I", len(block)) + b"eXIf" + block + b"\0\0\0\0" + plain[33:]


BLOCK = exif(t271="Leica", t272="DFC 450", t306="2024:05:31 14:07:09")


@pytest.mark.parametrize(("data", "kind"), [(jpeg(BLOCK), "JPEG"), (png(BLOCK), "PNG")])
def test_camera_and_time_of_exif_data(data, kind):
    assert read_origin(data, kind) == Origin("Leica DFC 450", "2024:05:31 14:07:09")


def test_a_model_that_names_its_maker_is_named_once():
    assert read_origin(jpeg(exif(t271="Canon", t272="Canon EOS 5D")), "JPEG") == Origin("Canon EOS 5D", "")
    assert read_origin(jpeg(exif(t271="Canon")), "JPEG").camera == "Canon"


def test_tags_of_a_tiff():
    file = io.BytesIO()
    tags = [(271, "s", 0, "Zeiss", True), (272, "s", 0, "Axiocam", True)]
    tifffile.imwrite(file, PIXELS, extratags=tags, datetime="2020:01:02 03:04:05", photometric="rgb")
    assert read_origin(file.getvalue(), "TIFF") == Origin("Zeiss Axiocam", "2020:01:02 03:04:05")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (cv2.imencode(".jpg", PIXELS)[1].tobytes(), "JPEG"),
        (cv2.imencode(".bmp", PIXELS)[1].tobytes(), "BMP"),
        (jpeg(b"MM\0*\0\0\0\x08\0\x05"), "JPEG"),
        (jpeg(b"damaged"), "JPEG"),
        (b"II*\0", "TIFF"),
    ],
)
def test_a_file_that_states_nothing(data, kind):
    assert read_origin(data, kind) == Origin("", "")
