"""Damage that a decoder reports is collected with its words, and nothing is printed."""

import io
import logging
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from cfu_core.errors import ImageError
from cfu_core.imaging.decoder_warnings import collect_warnings
from cfu_core.imaging.reading import decode, decode_small, read_with_ranges
from tests.imaging.test_reading import tiff

SMOOTH = cv2.resize(np.random.default_rng(7).integers(0, 256, (6, 8, 3), dtype=np.uint8), (83, 61))


def jpeg() -> bytes:
    return cv2.imencode(".jpg", SMOOTH)[1].tobytes()


def early_end() -> bytes:
    """Return a complete JPEG in which zeros and an end marker replace a part of the scan."""
    data = bytearray(jpeg())
    place = data.rindex(b"\xff\xda") + 300
    data[place : place + 200] = b"\xff\xd9" + bytes(198)
    return bytes(data)


def png(rows: bytes | None = None, *, after: bytes = b"", extra: bytes = b"") -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    whole = b"".join(b"\0" + row[:, ::-1].tobytes() for row in SMOOTH) if rows is None else rows
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 83, 61, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(whole) + after) + chunk(b"IEND", b"")


ROWS = b"".join(b"\0" + row[:, ::-1].tobytes() for row in SMOOTH)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (jpeg(), []),
        (png(), []),
        (early_end(), ["Corrupt JPEG data: premature end of data segment"]),
        (jpeg()[:-2] + bytes(12) + b"\xff\xd9", ["Corrupt JPEG data: N extraneous bytes before marker 0xd9"]),
        (png(ROWS + ROWS[:250]), ["PNG: the file contains more pixels than its size needs"]),
        (png(after=b"abc"), ["PNG: the pixels are followed by other data"]),
        (png(extra=b"\0\0\0\x02gAMA\0\0abcd"), ["PNG: the checksum of the chunk gAMA is wrong"]),
    ],
)
def test_the_words_of_the_decoder_are_collected_and_not_printed(data, expected, capfd):
    with collect_warnings() as found:
        pixels = decode(data)
    assert [re.sub(r"\d+ ext", "N ext", text) for text in found] == expected
    assert pixels.shape == (61, 83, 3)
    if data[:4] == b"\x89PNG":
        assert (pixels == SMOOTH[..., ::-1]).all()
    decode_small(data, side=20)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("options", [{"photometric": "ycbcr"}, {"photometric": "rgb"}, {"photometric": "minisblack"}])
def test_damage_to_jpeg_data_in_a_tiff_is_reported(options, capfd):
    pixels = SMOOTH if options["photometric"] != "minisblack" else SMOOTH[..., 0]
    whole = tiff(pixels, compression="jpeg", rowsperstrip=32, **options)
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        end = file.pages.first.dataoffsets[1] + file.pages.first.databytecounts[1]
    damaged = whole[: end - 250] + b"\xff\xd9" + bytes(246) + whole[end - 2 :]
    with collect_warnings() as none:
        decode(whole)
    with collect_warnings() as found:
        decode(damaged)
    assert none == []
    assert [re.sub(r"\d+ ext", "N ext", text) for text in found] == ["Corrupt JPEG data: premature end of data segment"]
    assert capfd.readouterr() == ("", "")


def test_each_warning_is_collected_once_and_belongs_to_one_image():
    with collect_warnings() as first:
        decode(early_end())
        decode(early_end())
    with collect_warnings() as second:
        decode(jpeg())
    assert (len(first), second) == (1, [])


def test_the_log_of_the_tiff_library_is_collected():
    with collect_warnings() as found:
        logging.getLogger("tifffile").warning("TiffPage 0: %s", "a tag is wrong.")
        logging.getLogger("tifffile").info("not a warning")
    assert found == ["TiffPage 0: a tag is wrong"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png(ROWS[:250]), "not enough pixels"),
        (png(ROWS[:250] + b"\x09" + ROWS[251:]), "unknown filter"),
        (png()[:43] + b"\xff" + png()[44:], "its content is damaged"),
    ],
)
def test_a_png_that_cannot_be_decoded_says_why_and_prints_nothing(data, reason, capfd):
    with pytest.raises(ImageError, match=reason):
        decode(data)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png_of_all_kinds_is_decoded_as_by_pillow(mode, interlaced):
    picture = Image.fromarray(SMOOTH)
    picture = Image.fromarray(SMOOTH[..., 0].astype(np.uint16) * 16) if mode == "I;16" else picture.convert(mode)
    stream = io.BytesIO()
    picture.save(stream, "PNG", interlace=interlaced)
    expected = np.asarray(picture) / 4095 * 255 if mode == "I;16" else np.asarray(picture.convert("RGB"))
    assert np.abs(decode(stream.getvalue()) - np.atleast_3d(expected)).max() <= 1


def test_predictions_say_what_the_decoder_found(tmp_path):
    (tmp_path / "cut.jpg").write_bytes(early_end())
    assert read_with_ranges(tmp_path / "cut.jpg", {})[1] == (
        "The decoder of cut.jpg found damage and went on: Corrupt JPEG data: premature end of data segment."
    )
