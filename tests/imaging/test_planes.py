"""TIFF files with several pictures: all are counted, the sharpest one of the largest size is used, and it is named."""

import io

import numpy as np
import pytest
import tifffile

from cfu_core.errors import ImageError
from cfu_core.imaging.planes import COMPOSITE, FIRST_PAGE
from cfu_core.imaging.reading import check, decode, decode_small, read_header, read_with_ranges
from cfu_core.imaging.sample_range import SampleRange
from tests.imaging.test_reading import tiff

RNG = np.random.default_rng(4)
DETAIL = RNG.integers(0, 255, (40, 50), dtype=np.uint8)
FLAT = np.full((40, 50), 90, np.uint8)


def chosen(data):
    return check(data).plane


@pytest.mark.parametrize("name", ["imagej_z5", "imagej_z5_one_ifd"])
def test_of_a_focus_stack_the_sharpest_plane_is_used_and_not_the_black_first_one(cases, name):
    data = (cases / "05_stacks" / f"{name}.tif").read_bytes()
    found = chosen(data)
    assert (found.index, found.count, found.axes, found.others) == (2, 5, ("focal plane",), 0)
    assert not found.complete
    assert decode(data).std() > 10
    assert (decode(data) == decode(data, plane=2)).all()
    assert decode(data, plane=0).max() == 0


def test_a_thumbnail_before_the_picture_is_not_taken_for_it(cases):
    data = (cases / "05_stacks" / "thumbnail_first.tif").read_bytes()
    assert read_header(data, name="x")[1:3] == (128, 96)
    assert decode(data).shape == (96, 128, 3)
    assert decode_small(data, side=32).shape == (96, 128, 3)
    found = chosen(data)
    assert (found.count, found.others, found.complete) == (1, 1, False)


def test_a_channel_that_is_not_used_is_counted(cases):
    found = chosen((cases / "06_channels" / "two_channels.tif").read_bytes())
    assert (found.count, found.extra_channels, found.complete) == (1, 1, False)


@pytest.mark.parametrize(
    ("samples", "options", "shape", "axes", "index"),
    [
        ([FLAT, DETAIL, FLAT], {"photometric": "minisblack"}, 3, ("page",), 1),
        (
            [[FLAT, DETAIL], [DETAIL, FLAT]],
            {"imagej": True, "metadata": {"axes": "ZCYX"}},
            4,
            ("focal plane", "channel"),
            2,
        ),
        (
            [[FLAT, DETAIL], [FLAT, DETAIL]],
            {"ome": True, "metadata": {"axes": "CZYX"}},
            4,
            ("channel", "focal plane"),
            1,
        ),
        ([FLAT, DETAIL], {"imagej": True, "metadata": {"axes": "TYX"}}, 2, ("time point",), 1),
        ([FLAT, DETAIL], {"imagej": True, "metadata": {"axes": "CYX"}}, 2, ("channel",), 0),
    ],
)
def test_the_sharpest_picture_of_the_first_channel_is_used(samples, options, shape, axes, index):
    data = tiff(np.array(samples), **options)
    found = chosen(data)
    assert (found.count, found.axes, found.index) == (shape, axes, index)
    expected = np.array(samples).reshape(-1, 40, 50)[index]
    assert (decode(data)[..., 0] == expected).all()
    for plane, one in enumerate(np.array(samples).reshape(-1, 40, 50)):
        assert (decode(data, plane=plane)[..., 0] == one).all()


@pytest.mark.parametrize(("plane", "name"), [(2, "picture 3"), (COMPOSITE, "a composite of all channels")])
def test_a_plane_that_does_not_exist_is_refused(plane, name):
    data = tiff(np.array([FLAT, DETAIL]), photometric="minisblack")
    with pytest.raises(ImageError, match=f"it has 2 pictures, and {name} was chosen"):
        decode(data, plane=plane)


def test_a_file_that_ends_inside_one_of_its_planes_is_incomplete():
    data = tiff(RNG.integers(0, 255, (4, 40, 50), dtype=np.uint8), photometric="minisblack", imagej=True)
    with pytest.raises(ImageError) as refused:
        check(data[: len(data) - 600])
    assert refused.value.kind == "truncated"


def test_an_ordinary_tiff_is_complete():
    assert chosen(tiff(DETAIL)).complete
    assert chosen(tiff(np.dstack([DETAIL] * 3), photometric="rgb")).complete


def test_a_file_is_read_with_the_ranges_of_a_dataset_and_says_what_was_chosen(tmp_path, cases):
    deep = np.array([DETAIL, FLAT]).astype(np.uint16) * 16
    (tmp_path / "one.tif").write_bytes(tiff(deep[0]))
    pixels, remark = read_with_ranges(tmp_path / "one.tif", {"uint16": SampleRange(0, 8191)})
    assert pixels.max() == round(deep[0].max() / 8191 * 255)
    assert remark == ""
    pixels, remark = read_with_ranges(tmp_path / "one.tif", {})
    assert pixels.max() == round(deep[0].max() / 4095 * 255)
    assert remark == (
        "one.tif has samples of 16 bits, which the dataset does not have. In this image, 0 is shown as black and 4095 "
        "as white."
    )
    pixels, remark = read_with_ranges(cases / "05_stacks" / "imagej_z5.tif", {"uint16": SampleRange(0, 255)})
    assert pixels.std() > 10
    assert remark == "imagej_z5.tif has 5 pictures; picture 3 is used."
    (tmp_path / "usual.tif").write_bytes(tiff(DETAIL))
    assert read_with_ranges(tmp_path / "usual.tif", {})[1] == ""


def test_a_file_for_a_run_from_before_ranges_is_read_by_the_rule_of_that_time(tmp_path):
    stack = np.array([FLAT, DETAIL]).astype(np.uint16)
    (tmp_path / "stack.tif").write_bytes(tiff(stack, photometric="minisblack"))
    pixels, remark = read_with_ranges(tmp_path / "stack.tif", None)
    assert (pixels == 90).all()  # the first page, in the range of 8 bits
    assert remark == ""


def test_a_stack_that_is_stored_as_one_block_is_read_picture_by_picture(monkeypatch):
    stack = RNG.integers(0, 4000, (6, 40, 50)).astype(np.uint16)
    data = one_block(stack)
    monkeypatch.setattr("tifffile.TiffPageSeries.asarray", None)  # would read the whole stack
    for plane in range(6):
        expected = np.rint(stack[plane] / 4095 * 255)
        found = decode(data, plane=plane, samples=SampleRange(0, 4095))[..., 0]
        assert np.abs(found - expected).max() <= 1
    with pytest.raises(ImageError) as refused:
        check(data[:-10])
    assert refused.value.kind == "truncated"


def one_block(stack: np.ndarray) -> bytes:
    """Return an ImageJ stack whose tags describe only the first picture, as ImageJ writes large files."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, imagej=True, byteorder=">") as writer:
        writer.write(stack, contiguous=True, metadata={"axes": "ZYX"}, truncate=True)
    return file.getvalue()


def test_a_file_of_a_set_is_read_although_other_files_have_the_other_planes(tmp_path):
    planes = [np.roll(DETAIL, shift) for shift in range(4)]
    for name, first in (("a.ome.tif", 0), ("b.ome.tif", 2)):
        xml = ome_of_two_files(("a.ome.tif", "b.ome.tif"), count=4, shape=DETAIL.shape)
        tifffile.imwrite(
            tmp_path / name,
            np.array(planes[first : first + 2]),
            description=xml,
            metadata=None,
            photometric="minisblack",
        )
    data = (tmp_path / "b.ome.tif").read_bytes()
    found = chosen(data)
    assert found.missing + found.count >= 2
    assert decode(data)[..., 0].tolist() in [plane.tolist() for plane in planes]


def ome_of_two_files(names, *, count, shape):
    """Return OME metadata of a set of files with half of the planes each."""
    height, width = shape
    data = "".join(
        f'<TiffData IFD="{plane % 2}" FirstZ="{plane}" PlaneCount="1">'
        f'<UUID FileName="{names[plane // 2]}">urn:uuid:{plane // 2}</UUID></TiffData>'
        for plane in range(count)
    )
    return (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">'
        f'<Image ID="Image:0"><Pixels DimensionOrder="XYZCT" ID="Pixels:0" SizeX="{width}" SizeY="{height}" '
        f'SizeZ="{count}" SizeC="1" SizeT="1" Type="uint8"><Channel ID="C:0" SamplesPerPixel="1"/>{data}'
        "</Pixels></Image></OME>"
    )


def test_pages_of_a_palette_are_counted():
    colours = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
    data = tiff(np.array([DETAIL, FLAT]), photometric="palette", colormap=colours)
    assert (chosen(data).count, chosen(data).index) == (2, 0)
    assert (decode(data, plane=1) == 90).all()


def test_several_series_of_one_size_are_positions():
    file = io.BytesIO()
    with tifffile.TiffWriter(file, ome=True) as writer:
        for picture in (FLAT, DETAIL, FLAT):
            writer.write(picture, photometric="minisblack")
    found = chosen(file.getvalue())
    assert (found.count, found.axes, found.index, found.others) == (3, ("position",), 0, 0)
    assert (decode(file.getvalue(), plane=1)[..., 0] == DETAIL).all()


def test_images_of_earlier_versions_are_the_first_page(cases):
    data = (cases / "05_stacks" / "thumbnail_first.tif").read_bytes()
    assert decode(data, plane=FIRST_PAGE).shape == (24, 32, 3)
    stack = (cases / "05_stacks" / "imagej_z5.tif").read_bytes()
    assert decode(stack, plane=FIRST_PAGE).max() == 0
    cut = tiff(RNG.integers(0, 255, (4, 40, 50), dtype=np.uint8), photometric="minisblack")[:3000]
    with pytest.raises(ImageError):
        decode(cut)
    assert decode(cut, plane=FIRST_PAGE).shape == (40, 50, 3)
    assert decode_small(cut, side=32, plane=FIRST_PAGE).shape == (40, 50, 3)
