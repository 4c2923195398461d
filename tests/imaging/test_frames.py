"""Files with several pictures in other formats than TIFF: animations, and JPEGs of cameras with two lenses."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from cfu_core.errors import ImageError
from cfu_core.imaging import headers
from cfu_core.imaging.planes import FIRST_PAGE
from cfu_core.imaging.reading import check, decode, decode_small, read_with_ranges

RNG = np.random.default_rng(8)
LOSSLESS = {"WEBP": {"lossless": True}}


def smooth(height=40, width=60) -> Image.Image:
    coarse = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


def animation(kind: str, *, alpha: bool = False, **options) -> bytes:
    """Encode four frames; from the second one on, an area with fine detail changes, most in the third one."""
    pictures = [smooth()]
    for number, side in enumerate((8, 25, 12), 1):
        picture = pictures[-1].copy()
        picture.paste(Image.fromarray(RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)), (7 * number, 4 * number))
        pictures.append(picture)
    if alpha:
        for number, picture in enumerate(pictures):
            opacity = np.full((40, 60), 255, np.uint8)
            opacity[5 * number : 5 * number + 10, 20:40] = 0
            picture.putalpha(Image.fromarray(opacity))
    stream = io.BytesIO()
    pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:], **LOSSLESS.get(kind, {}), **options)
    return stream.getvalue()


def by_pillow(data: bytes) -> list[np.ndarray]:
    def on_white(picture):
        whole = picture.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB"))

    return [on_white(picture) for picture in ImageSequence.Iterator(Image.open(io.BytesIO(data)))]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("GIF", {}),
        ("GIF", {"disposal": 2, "alpha": True}),
        ("GIF", {"disposal": 3, "alpha": True}),
        ("WEBP", {}),
        ("WEBP", {"alpha": True}),
        ("PNG", {}),
        ("PNG", {"disposal": 1}),
        ("PNG", {"disposal": 2, "alpha": True}),
        ("PNG", {"blend": 1, "alpha": True}),
        ("PNG", {"default_image": True}),
    ],
)
def test_each_frame_of_an_animation_is_as_pillow_draws_it(kind, options):
    data = animation(kind, **options)
    expected = by_pillow(data)
    found = check(data).plane
    assert (found.count, found.axes, found.complete) == (len(expected), ("frame",), False)
    for plane, picture in enumerate(expected):
        assert np.abs(decode(data, plane=plane).astype(int) - picture).max() <= 1
    assert (decode(data) == decode(data, plane=found.index)).all()


@pytest.mark.parametrize(("kind", "used"), [("GIF", 2), ("WEBP", 2), ("PNG", 0)])
def test_the_sharpest_frame_is_used_unless_the_format_names_a_main_one(kind, used):
    blurred = [smooth() for _ in range(3)]
    blurred.insert(2, Image.fromarray(RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)))
    stream = io.BytesIO()
    blurred[0].save(stream, kind, save_all=True, append_images=blurred[1:], **LOSSLESS.get(kind, {}))
    assert check(stream.getvalue()).plane.index == used
    assert (decode(stream.getvalue(), plane=FIRST_PAGE) == decode(stream.getvalue())).all()


def test_a_still_image_that_is_not_a_frame_is_counted_and_the_first_frame_is_used():
    data = animation("PNG", default_image=True)
    assert (check(data).plane.index, check(data).plane.count) == (1, 4)
    assert len(by_pillow(data)) == 4


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_an_animation_of_too_many_pixels_is_refused(kind, monkeypatch):
    monkeypatch.setattr(headers, "MAX_ANIMATION_PIXELS", 4 * 40 * 60 - 1)
    with pytest.raises(ImageError, match=r"an animation of 4 frames with 9,600 pixels together") as refused:
        check(animation(kind), name="a")
    assert refused.value.kind == "too-large"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_that_ends_inside_a_frame_is_incomplete(kind):
    data = animation(kind)
    for share in (0.2, 0.5, 0.95):
        with pytest.raises(ImageError, match="incomplete: its end is missing"):
            check(data[: int(share * len(data))])


def test_frames_that_a_png_announces_but_does_not_contain_are_counted():
    data = animation("PNG")
    place = data.index(b"acTL") + 4
    content = struct.pack(">II", 6, 0)
    changed = data[:place] + content + struct.pack(">I", zlib.crc32(b"acTL" + content)) + data[place + 12 :]
    found = check(changed).plane
    assert (found.count, found.missing) == (4, 2)
    with pytest.raises(ImageError, match="picture 6 of 6 is not in this file"):
        decode(changed, plane=5)


def test_a_frame_that_exceeds_the_image_is_refused():
    data = bytearray(animation("PNG"))
    place = data.index(b"fcTL", data.index(b"IDAT")) + 4
    struct.pack_into(">I", data, place + 12, 59)  # its left edge
    with pytest.raises(ImageError, match="a frame exceeds the image"):
        decode(bytes(data), plane=3)


# --- JPEG in the Multi-Picture Format


def jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=95)
    return stream.getvalue()


def mpo(*others: Image.Image) -> bytes:
    """Return a file of a picture of 60 × 40 pixels and others."""
    stream = io.BytesIO()
    smooth().save(stream, "MPO", save_all=True, append_images=others, quality=95)
    return stream.getvalue()


def test_the_views_of_a_camera_are_counted_and_the_main_one_is_used(cases):
    data = (cases / "13_extensions" / "two_pictures.mpo").read_bytes()
    found = check(data).plane
    assert (found.index, found.count, found.axes) == (0, 2, ("view",))
    for plane, picture in enumerate(by_pillow(data)):
        assert np.abs(decode(data, plane=plane).astype(int) - picture).max() <= 1
    assert (decode(data, plane=0) != decode(data, plane=1)).any()
    assert (decode(data) == decode(data, plane=0)).all()
    assert (decode_small(data, side=64, plane=1) == decode(data, plane=1)).all()


def test_a_preview_in_a_jpeg_is_counted_and_not_a_view():
    found = check(mpo(smooth(20, 30))).plane
    assert (found.count, found.others, found.complete) == (1, 1, False)


def test_a_picture_that_an_edited_jpeg_lists_but_does_not_contain_is_counted():
    data = mpo(smooth())
    edited = data[: data.rindex(b"\xff\xd8\xff")]
    found = check(edited).plane
    assert (found.count, found.missing) == (1, 1)
    assert (decode(edited) == decode(data, plane=0)).all()
    with pytest.raises(ImageError, match="picture 2 of 2 is not in this file"):
        decode(edited, plane=1)


def test_a_jpeg_that_ends_inside_its_second_view_is_incomplete():
    data = mpo(smooth())
    with pytest.raises(ImageError, match="incomplete"):
        check(data[:-200])


def test_predictions_say_which_picture_is_used(cases):
    file = cases / "13_extensions" / "animated.gif"
    _, remark = read_with_ranges(file, {})
    assert remark == "animated.gif has 2 pictures; picture 1 is used."
