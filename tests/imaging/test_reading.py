import io
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from cfu_core.errors import ImageError
from cfu_core.imaging.reading import MAX_PIXELS, ImageHeader, check, decode, read, read_header

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000")  # names of Pillow
NAMES = {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}
LOSSLESS = {"WEBP": {"lossless": True}}


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    """Smooth, coloured, wider than high, and different in all four corners."""
    coarse = np.random.default_rng(7).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (80, 60), interpolation=cv2.INTER_CUBIC))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(samples: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def assert_same(data: bytes, expected: np.ndarray, *, tolerance: int = 0) -> None:
    pixels, header = decode(data), read_header(data, name="x")
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.shape == expected.shape == (header.height, header.width, 3)
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        (kind, mode)
        for kind in FORMATS
        for mode in ("RGB", "L", "P", "1")
        if (kind, mode) not in (("JPEG", "P"), ("JPEG2000", "P"), ("JPEG2000", "1"))
    ],
)
def test_pixels_are_those_of_pillow(picture, kind, mode):
    data = encoded(picture.convert(mode), kind, **LOSSLESS.get(kind, {}))
    assert_same(data, by_pillow(data))
    name = NAMES.get(kind, kind)
    assert read_header(data, name="x") == ImageHeader(name, 80, 60, usual=kind in ("JPEG", "PNG"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_are_undone(picture, kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    data = encoded(picture, kind, exif=exif)
    assert_same(data, by_pillow(data))
    upright = (80, 60) if orientation < 5 else (60, 80)
    assert (read_header(data, name="x").width, read_header(data, name="x").height) == upright


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000"])
def test_transparency_is_blended_with_white(picture, kind):
    seen = picture.copy()
    seen.putalpha(Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80), dtype=np.uint8)))
    data = encoded(seen, kind, **LOSSLESS.get(kind, {}))
    assert_same(data, by_pillow(data), tolerance=1)


def test_other_transparencies_of_png(picture):
    grey_alpha = picture.convert("L").copy()
    grey_alpha.putalpha(128)
    for data in (
        encoded(grey_alpha, "PNG"),
        encoded(picture.convert("P"), "PNG", transparency=5),
        encoded(picture.convert("L"), "PNG", transparency=int(np.asarray(picture.convert("L"))[3, 3])),
        encoded(picture, "PNG", transparency=tuple(map(int, np.asarray(picture)[3, 3]))),
    ):
        assert_same(data, by_pillow(data), tolerance=1)


@pytest.mark.parametrize("colour", [0x0000, 0x8000])
def test_alpha_of_16_bits_uses_the_whole_range(colour):
    samples = np.full((4, 5, 4), colour, np.uint16)
    samples[..., 3] = 0x3FFF  # a quarter opaque
    expected = round((colour / 0xFFFF * 0.25 + 0.75) * 255)
    png = cv2.imencode(".png", samples)[1].tobytes()
    for data in (png, tiff(samples, photometric="rgb", extrasamples=["unassalpha"])):
        assert np.abs(decode(data, name="quarter").astype(int) - expected).max() <= 1


def test_premultiplied_alpha_of_tiff():
    samples = np.full((4, 4, 4), 100, np.uint8)  # colour 100 already covers 100 of 255
    data = tiff(samples, photometric="rgb", extrasamples=["assocalpha"])
    assert_same(data, np.full((4, 4, 3), 100 + 155, np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_converted_as_pillow_does(picture, kind):
    data = encoded(picture.convert("CMYK"), kind)
    assert_same(data, by_pillow(data), tolerance=1)


@pytest.mark.parametrize("peak", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("shape", [(12, 9), (12, 9, 3)])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_sixteen_bits_are_scaled_by_the_smallest_range_that_holds_them(peak, shape, kind):
    deep = np.random.default_rng(3).integers(0, peak + 1, shape, dtype=np.uint16)
    deep.flat[0] = peak - peak // 16  # not the very end of the range
    if kind == "png":
        data = cv2.imencode(".png", deep if deep.ndim == 2 else deep[..., ::-1])[1].tobytes()
    else:
        data = tiff(deep, photometric="rgb" if deep.ndim == 3 else "minisblack")
    expected = np.rint(deep / peak * 255).astype(np.uint8)
    assert_same(data, expected if deep.ndim == 3 else np.repeat(expected[..., None], 3, axis=2))


@pytest.mark.parametrize(
    "options",
    [
        {"planarconfig": "separate"},
        {"tile": (32, 16)},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"compression": "packbits"},
    ],
)
def test_layouts_of_tiff(picture, options):
    pixels = np.asarray(picture)
    planes = np.moveaxis(pixels, -1, 0) if "planarconfig" in options else pixels
    assert_same(tiff(planes, photometric="rgb", **options), pixels)


@pytest.mark.parametrize("colours", ["L", "1", "YCbCr"])
def test_unusual_colours_of_tiff(picture, colours):
    data = encoded(picture.convert(colours), "TIFF")
    assert_same(data, by_pillow(data), tolerance=1)


def test_white_is_zero_in_some_tiffs(picture):
    grey = np.asarray(picture.convert("L"))
    assert_same(tiff(grey, photometric="miniswhite"), np.repeat(255 - grey[..., None], 3, axis=2))


def test_floating_point_between_0_and_1():
    assert_same(tiff(np.array([[0, 0.5, 1]], np.float32)), np.repeat([[[0], [128], [255]]], 3, axis=2))


@pytest.mark.parametrize(
    ("samples", "options"),
    [
        (np.zeros((4, 4), np.complex64), {}),
        (np.zeros((4, 4, 7), np.uint8), {"photometric": "minisblack", "planarconfig": "contig"}),
        (np.zeros((3, 4, 4), np.uint8), {"photometric": "minisblack", "volumetric": True}),
    ],
)
def test_a_tiff_that_is_no_picture_is_refused(samples, options):
    with pytest.raises(ImageError, match=r"stack\.tif cannot be decoded") as caught:
        decode(tiff(samples, **options), name="stack.tif")
    assert caught.value.kind == "unreadable"


def test_empty():
    with pytest.raises(ImageError, match=r"a\.jpg is empty \(0 bytes\)") as caught:
        decode(b"", name="a.jpg")
    assert caught.value.kind == "empty"


@pytest.mark.parametrize("data", [b"hello", b"BMW built this car, and it is no bitmap", b"\0" * 200])
def test_a_file_that_is_not_an_image(data):
    with pytest.raises(ImageError, match=r"a\.jpg is not an image") as caught:
        decode(data, name="a.jpg")
    assert caught.value.kind == "not-an-image"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(picture, kind, share):
    data = encoded(picture, kind)
    with pytest.raises(ImageError, match="incomplete: its end is missing") as caught:
        decode(data[: max(20, int(share * len(data)))], name="a")
    assert caught.value.kind == "truncated"


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_image(picture):
    exif = b"Exif\0\0" + encoded(picture.resize((8, 6)), "JPEG")
    data = encoded(picture, "JPEG", exif=exif)
    decode(data)
    with pytest.raises(ImageError, match="incomplete: its end is missing"):
        decode(data[:-200])


def test_bytes_after_the_end_are_ignored(picture):
    for kind in FORMATS:
        data = encoded(picture, kind)
        assert (decode(data + b"\0" * 1000) == decode(data)).all()


def test_damaged_pixels_of_png(picture):
    data = bytearray(encoded(picture, "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="cannot be decoded") as caught:
        decode(bytes(data), name="a.png")
    assert caught.value.kind == "unreadable"


def large_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def large_tiff() -> bytes:
    whole = tiff(np.zeros((20_000, 1), np.uint8), photometric="minisblack", compression="lzw", rowsperstrip=20_000)
    wide = bytearray(whole)
    (first,) = struct.unpack_from("<I", wide, 4)
    for entry in range(first + 2, len(wide), 12):
        if struct.unpack_from("<H", wide, entry) == (256,):
            struct.pack_into("<HIH", wide, entry + 2, 3, 1, 20_000)
            break
    return bytes(wide)


@pytest.mark.parametrize("make", [large_png, large_tiff])
def test_too_many_pixels_are_refused_before_decoding(make):
    data = make()
    started = time.perf_counter()
    with pytest.raises(ImageError, match="20,000 × 20,000 = 400,000,000 pixels") as caught:
        decode(data, name="big")
    assert time.perf_counter() - started < 0.1
    assert caught.value.kind == "too-large"
    assert f"{MAX_PIXELS:,}" in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_random_damage_ends_in_pixels_or_an_image_error(picture, kind, capfd):
    whole = encoded(picture.resize((24, 18)), kind)
    random = np.random.default_rng(11)
    for _ in range(200):
        data = bytearray(whole)
        for place in random.integers(0, min(len(data), 400), 4):
            data[place] = random.integers(0, 256)
        with suppress(ImageError):
            pixels = decode(bytes(data))
            assert (pixels.dtype, pixels.ndim, pixels.shape[2]) == (np.uint8, 3, 3)
    assert capfd.readouterr() == ("", "")


# --- a whole image without decoding it


def verdict(judge, data: bytes) -> tuple[str, str] | None:
    """Kind and message of the refusal, None where there is none."""
    try:
        judge(data, name="a")
    except ImageError as error:
        return error.kind, str(error)
    return None


def everything_odd(picture: Image.Image) -> dict[str, bytes]:
    whole = {kind: encoded(picture, kind) for kind in FORMATS}
    cut = {
        f"{kind} {share}": data[: int(share * len(data))] for kind, data in whole.items() for share in (0, 0.3, 0.99)
    }
    padded = {f"{kind} padded": data + bytes(500) for kind, data in whole.items()}
    others = {
        "text": b"hello",
        "large": large_png(),
        "cmyk": encoded(picture.convert("CMYK"), "JPEG"),
        "progressive": encoded(picture, "JPEG", progressive=True),
        "grey": encoded(picture.convert("L"), "JPEG"),
        "palette": encoded(picture.convert("P"), "PNG"),
        "16 bit": cv2.imencode(".png", np.full((4, 4), 40_000, np.uint16))[1].tobytes(),
        "stack": tiff(np.zeros((4, 4, 7), np.uint8), photometric="minisblack", planarconfig="contig"),
        "no checksum": whole["PNG"].replace(b"IDAT", b"IDOT"),
        "no pixels": whole["PNG"][:33] + whole["PNG"][-12:],
        "no tables": whole["JPEG"].replace(b"\xff\xc4", b"\xff\xe5"),
        "unknown frame": whole["JPEG"].replace(b"\xff\xc0", b"\xff\xc7"),
        "12 bit": whole["JPEG"].replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"),
    }
    return whole | cut | padded | others


def test_a_check_refuses_what_decoding_refuses_and_in_the_same_words(picture, capfd):
    odd = everything_odd(picture)
    assert {name: verdict(check, data) for name, data in odd.items()} == {
        name: verdict(decode, data) for name, data in odd.items()
    }
    refused = {name for name, data in odd.items() if verdict(check, data)}
    assert {"unknown frame", "12 bit", "no checksum", "no pixels", "stack", "large"} < refused
    assert not refused & {*FORMATS, "cmyk", "progressive", "grey", "palette", "16 bit", "PNG padded", "JPEG padded"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "JPEG2000"])
def test_a_file_that_passes_the_check_can_be_decoded(picture, kind, capfd):
    whole = encoded(picture.resize((24, 18)), kind)
    random, passed = np.random.default_rng(12), 0
    for _ in range(200):
        data = bytearray(whole)
        place = random.choice([random.integers(len(data)), len(data) - random.integers(1, 12)])
        data[place] ^= 1 << random.integers(8)
        if verdict(check, bytes(data)) is None:
            passed += 1
            assert verdict(decode, bytes(data)) is None
    assert passed
    assert capfd.readouterr() == ("", "")


def test_a_check_finds_the_header(picture):
    exif = Image.Exif()
    exif[274] = 6
    for kind in FORMATS:
        data = encoded(picture, kind, **({} if kind in ("GIF", "JPEG2000") else {"exif": exif}))
        assert check(data)[:2] == (read_header(data, name="x"), None)
        assert check(data).header.usual == (kind in ("JPEG", "PNG"))
    assert check(encoded(picture, "JPEG", exif=exif)).header[:4] == ("JPEG", 60, 80, 6)


def test_read(tmp_path: Path, picture):
    path = tmp_path / "Kolonie é 🧫.png"
    path.write_bytes(encoded(picture, "PNG"))
    assert (read(path) == np.asarray(picture)).all()
    with pytest.raises(ImageError, match="does not exist") as caught:
        read(tmp_path / "none.png")
    assert caught.value.kind == "missing"


@pytest.mark.real
def test_real_photographs(real_images: Path):
    paths = [path for folder in ("dish", "cfu_e_look") for path in sorted((real_images / folder).glob("*.[jp]*g"))]
    assert paths
    for path in paths:
        data = path.read_bytes()
        # Two JPEG decoders may differ in how they smooth the colours.
        assert np.abs(decode(data).astype(int) - by_pillow(data)).mean() < 1


@pytest.mark.real
def test_the_checks_cost_less_than_a_millisecond(real_images: Path):
    from cfu_core.imaging.headers import check_structure

    data = max((path.read_bytes() for path in (real_images / "dish").glob("*.jpg")), key=len)
    times = []
    for _ in range(20):
        started = time.perf_counter()
        check_structure(data, name="x")
        times.append(time.perf_counter() - started)
    assert min(times) < 0.001
