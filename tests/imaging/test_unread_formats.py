import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from cfu_core.errors import ImageError
from cfu_core.imaging.headers import image_format, read_header
from cfu_core.imaging.unread_formats import unread_format


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (20, 10), "red").save(stream, kind)
    return stream.getvalue()


def container(*brands: bytes) -> bytes:
    return struct.pack(">I4s", 12 + 4 * len(brands), b"ftyp") + brands[0] + bytes(4) + b"".join(brands[1:]) + b"data"


@pytest.mark.parametrize(("kind", "name"), [("PPM", "PNM"), ("ICO", "an icon"), ("AVIF", "AVIF")])
def test_images_of_other_formats_are_named(kind, name):
    data = encoded(kind)
    assert image_format(data) is None
    assert unread_format(data).name.startswith(name)
    message = rf"x\.jpg is {name}.*, which is not read\. Save it as PNG or TIFF\."
    with pytest.raises(ImageError, match=message) as caught:
        read_header(data, name="x.jpg")
    assert caught.value.kind == "not-an-image"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (container(b"heic", b"mif1"), "HEIC"),
        (container(b"mif1", b"miaf", b"heic"), "HEIC"),
        (container(b"mif1", b"avif"), "AVIF"),
        (container(b"crx ", b"isom"), "a raw file of a camera"),
        (container(b"qt  "), "a video"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML><html>", "a web page (HTML)"),
        (b"<?xml version='1.0'?>\n<svg/>", "SVG, a drawing"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PK\x03\x04" + bytes(30), "a zip archive or an Office document"),
        (bytes(128) + b"DICM", "DICOM"),
        (bytes(257) + b"ustar", "an archive"),
    ],
)
def test_other_files_are_named(data, name):
    assert unread_format(data).name == name


@pytest.mark.parametrize("data", [b"", b"hello", bytes(300), b"<?xml version='1.0'?><a/>", b"P", b"RIFF1234WAVE"])
def test_unknown_content_is_not_named(data):
    assert unread_format(data) is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000"])
def test_formats_that_are_read_are_not_named(kind):
    assert unread_format(encoded(kind)) is None


def test_the_real_heic_is_named(cases: Path):
    found = unread_format((cases / "13_extensions" / "really_heic.jpg").read_bytes())
    assert found.name == "HEIC"
    assert "Most Compatible" in found.remedy
