import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from cfu_core import PROJECT
from cfu_core.dataset.catalog import delete_dataset, list_datasets, load_dataset
from cfu_core.dataset.image_store import image_store
from cfu_core.dataset.importing import parallel_batches, staging
from cfu_core.dataset.importing import source as source_module
from cfu_core.dataset.importing.source import ImportLimits, import_source, scan_source
from cfu_core.errors import DatasetError, ImageError, StorageError

pytestmark = pytest.mark.usefixtures("cfu_home")


@pytest.fixture
def plates(write_tree, picture) -> Path:
    files = {f"{'AB'[seed % 2]}/{seed}.png": picture(seed) for seed in range(12)}
    return write_tree(files | {"A/copy.png": picture(0), "B/bad.jpg": b"no image"})


def stored() -> list[Path]:
    return sorted(file for file in image_store().rglob("*") if file.is_file())


def test_a_scan_writes_nothing(cfu_home: Path, plates):
    found = scan_source(plates)
    assert found.counts == {"A": 7, "B": 6}
    assert not cfu_home.exists()


def test_import_and_scan_agree(plates):
    scanned, imported = scan_source(plates), import_source(plates)
    pd.testing.assert_frame_equal(scanned.images, imported.images)
    assert (scanned.id, scanned.import_issues) == (imported.id, imported.import_issues)
    loaded = load_dataset(imported.id)
    pd.testing.assert_frame_equal(loaded.images, imported.images)
    assert loaded.import_issues == imported.import_issues
    assert loaded.source == str(plates)
    assert loaded.duplicates() == [["A/0.png", "A/copy.png"]]
    for index in range(len(loaded.images)):
        assert loaded.read_bytes(index) == (plates / loaded.images["path"][index]).read_bytes()
        assert loaded.read_image(index).shape == (6, 5, 3)


def test_importing_twice_gives_the_same_dataset(cfu_home: Path, plates):
    first = import_source(plates, name="Plates")
    before = {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in stored()}
    assert len(before) == 12
    second = import_source(plates, name="Plates")
    assert second.id == first.id
    assert len(list_datasets()) == 1
    assert {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in stored()} == before
    assert import_source(plates, name="Others").id != first.id
    assert len(stored()) == 12
    assert list((cfu_home / "incoming").iterdir()) == []


def test_a_folder_and_its_zip_are_the_same_content(plates, tmp_path: Path):
    (plates / "B" / "bad.jpg").write_bytes(b"")
    zipped = shutil.make_archive(str(tmp_path / "other"), "zip", root_dir=tmp_path, base_dir="plates")
    assert scan_source(Path(zipped)).digest == scan_source(plates).digest


def test_images_are_added_to_those_in_the_store(plates, write_tree, picture):
    import_source(write_tree({f"A/{seed}.png": picture(seed) for seed in range(6, 300)}, name="many"))
    assert len({file.parent for file in stored()}) < 256  # so that some of the new ones find a place and some do not
    made = import_source(plates)
    assert len(stored()) == 300
    assert all(made.read_image(index).shape == (6, 5, 3) for index in range(13))


def test_a_damaged_stored_image_is_replaced(plates):
    made = import_source(plates)
    made.image_file(0).write_bytes(b"")
    made.image_file(1).unlink()
    import_source(plates)
    assert made.read_bytes(0) == (plates / made.images["path"][0]).read_bytes()
    assert made.read_image(1).shape == (6, 5, 3)


@pytest.fixture
def one_by_one(monkeypatch):
    """Progress after every image."""
    monkeypatch.setattr(parallel_batches, "_BATCH_SIZE", 1)


@pytest.mark.usefixtures("one_by_one")
def test_progress_is_reported_in_the_calling_thread(plates):
    reported = []
    import_source(plates, progress=lambda done, total: reported.append((done, total, threading.current_thread())))
    assert reported == [(done, 14, threading.current_thread()) for done in range(15)]


def test_progress_is_reported_at_the_beginning_and_at_the_end(plates):
    reported = []
    import_source(plates, progress=lambda done, total: reported.append((done, total)))
    assert (reported[0], reported[-1]) == ((0, 14), (14, 14))
    assert sorted(set(reported)) == reported


@pytest.fixture(params=["threads", "processes"])
def many(request, monkeypatch):
    """Uses threads or worker processes, whatever the number of images."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(source_module, "_MIN_IMAGES_FOR_PROCESSES", 1 if request.param == "processes" else 1000)


@pytest.mark.parametrize("cpus", [1, 7])
def test_results_do_not_depend_on_threads(plates, monkeypatch, cpus):
    expected = scan_source(plates)
    monkeypatch.setattr(os, "cpu_count", lambda: cpus)
    found = scan_source(plates)
    pd.testing.assert_frame_equal(found.images, expected.images)
    assert found.import_issues == expected.import_issues


@pytest.mark.parametrize("kind", ["folder", "manifest", "csv", "zip"])
def test_many_images_become_the_same_dataset(monkeypatch, tmp_path: Path, write_tree, picture, kind):
    """One source with every kind of unusual file, which worker processes leave to the main process."""
    names = {f"{'AB'[seed % 2]}/{seed}.png": picture(seed) for seed in range(9)}
    odd = {
        "A/é 🧫.JPG": picture(20, ".jpg"),
        "B/is a tiff.png": picture(21, ".tiff"),
        "A/bitmap.bmp": picture(22, ".bmp"),
        "B/again.png": picture(0),
        "A/text.jpg": b"hello",
        "B/empty.png": b"",
        "A/cut.jpg": picture(23, ".jpg")[:-40],
        "B/damaged.png": picture(24).replace(b"IDAT", b"IDOT"),
        "A/large.png": picture(25) + bytes(2000),
    }
    box = ("9,9,99,99", "0,1,4,5")
    rows = [f"{path},{path[0]},dish {n % 3},{box[n % 2]}" for n, path in enumerate([*names, *odd, "A/none.png"])]
    manifest = "\n".join(["path,label,group,box_left,box_top,box_right,box_bottom", *rows]).encode()
    listed = {} if kind in ("folder", "zip") else {"manifest.csv": manifest}
    source = write_tree(names | odd | listed)
    if kind != "zip":
        (source / "A" / "inside.png").symlink_to("../B/1.png")
        (source / "A" / "outside.png").symlink_to(__file__)
    else:
        source = Path(shutil.make_archive(str(tmp_path / "zipped"), "zip", root_dir=tmp_path, base_dir="plates"))
    source = source / "manifest.csv" if kind == "csv" else source
    limits = ImportLimits(image_bytes=2000)
    expected = scan_source(source, limits=limits)
    monkeypatch.setattr(source_module, "_MIN_IMAGES_FOR_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    found = import_source(source, limits=limits)
    pd.testing.assert_frame_equal(found.images, expected.images)
    assert found.import_issues == expected.import_issues
    assert found.id == expected.id
    assert len(found.images) == (14 if kind == "folder" else 13)
    assert {issue.kind for issue in found.import_issues} > {"empty", "truncated", "unreadable", "too-large"}
    assert all(found.read_image(row).shape == (6, 5, 3) for row in range(len(found.images)))


@pytest.fixture
def packing(monkeypatch):
    """Uses worker processes, and so packs, whatever the number of images."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(source_module, "_MIN_IMAGES_FOR_PROCESSES", 1)
    monkeypatch.setattr(parallel_batches, "_BATCH_SIZE", 3)  # so that both worker processes get some


def suffixes() -> list[str]:
    return sorted(file.suffix for file in stored())


@pytest.mark.usefixtures("packing")
def test_many_small_images_share_files(plates):
    made = import_source(plates)
    assert set(suffixes()) == {".data", ".index"}
    loaded = load_dataset(made.id)
    for row in range(len(loaded.images)):
        assert loaded.read_bytes(row) == (plates / loaded.images["path"][row]).read_bytes()
    delete_dataset(made.id)
    assert stored() == []
    with pytest.raises(ImageError, match="is missing from the image store"):
        loaded.read_bytes(0)


def test_nothing_is_stored_twice_whether_packed_or_not(plates, write_tree, picture, request, monkeypatch):
    few = import_source(write_tree({f"A/{seed}.png": picture(seed) for seed in (0, 1, 50)}, name="few"))
    assert suffixes() == [".png"] * 3
    request.getfixturevalue("packing")
    made = import_source(plates)
    assert sum(Path(file).stat().st_size for file in stored() if file.suffix == ".data") == sum(
        len(picture(seed)) for seed in range(2, 12)
    )
    before = stored()
    assert import_source(plates, name="again").id != made.id
    assert stored() == before
    monkeypatch.setattr(source_module, "_MIN_IMAGES_FOR_PROCESSES", 1000)
    again = import_source(plates, name="once more, one by one")
    assert stored() == before
    delete_dataset(few.id)
    delete_dataset(made.id)
    assert all(again.read_image(row).shape == (6, 5, 3) for row in range(len(again.images)))


@pytest.mark.usefixtures("packing")
def test_packs_stay_while_any_dataset_uses_them(plates, write_tree, picture, monkeypatch):
    made = import_source(plates)
    monkeypatch.setattr(source_module, "_MIN_IMAGES_FOR_PROCESSES", 1000)
    user = import_source(write_tree({"A/5.png": picture(5), "B/1.png": picture(100)}, name="user"))
    delete_dataset(made.id)
    assert user.read_bytes(0) == picture(5)
    delete_dataset(user.id)
    assert stored() == []


@pytest.mark.usefixtures("packing")
def test_a_damaged_pack_is_replaced(plates):
    made = import_source(plates)
    for file in stored():
        if file.suffix == ".data":
            os.truncate(file, file.stat().st_size // 2)
    import_source(plates)
    for row in range(len(made.images)):
        assert made.read_bytes(row) == (plates / made.images["path"][row]).read_bytes()


class Stop(BaseException):
    pass


@pytest.mark.parametrize("at", [0, 5, 14])
@pytest.mark.usefixtures("one_by_one", "many")
def test_a_cancelled_import_leaves_nothing(cfu_home: Path, plates, left_behind, at):
    def progress(done, _):
        if done == at:
            raise Stop

    with pytest.raises(Stop):
        import_source(plates, progress=progress)
    assert left_behind() == []
    assert list((cfu_home / "incoming").iterdir()) == []


@pytest.mark.parametrize("at", ["move", "save"])
@pytest.mark.parametrize("parts", ["none", "all", "packs"])
def test_a_failure_while_moving_images_into_the_store_changes_nothing(
    plates, write_tree, picture, monkeypatch, left_behind, request, at, parts
):
    """Subfolders are either moved into the store as a whole or exist there already."""
    earlier = import_source(write_tree({"A/1.png": picture(0), "B/1.png": picture(100)}, name="earlier"))
    for number in range(256 if parts == "all" else 0):
        (image_store() / f"{number:02x}").mkdir(exist_ok=True)
    if parts == "packs":
        request.getfixturevalue("packing")
    before, moves = left_behind(), []
    move = staging.Staging._move

    def failing_move(self, *args):
        if len(moves) == (0 if parts == "packs" else 5):
            raise Stop
        moves.append(args)
        move(self, *args)

    def failing_save(_):
        raise Stop

    if at == "move":
        monkeypatch.setattr(staging.Staging, "_move", failing_move)
    else:
        monkeypatch.setattr(staging, "save_dataset", failing_save)
    with pytest.raises(Stop):
        import_source(plates)
    assert left_behind() == before
    assert earlier.read_image(0).shape == (6, 5, 3)


@pytest.mark.parametrize("packed", [False, True])
def test_a_deletion_during_an_import_does_no_harm(plates, write_tree, picture, request, packed):
    if packed:
        request.getfixturevalue("packing")
    other = import_source(write_tree({"A/1.png": picture(0), "B/1.png": picture(1)}, name="other"))

    def progress(done, total):
        if done == total:
            delete_dataset(other.id)

    made = import_source(plates, progress=progress)
    assert all(made.read_image(row).shape == (6, 5, 3) for row in range(len(made.images)))


def test_files_of_a_killed_import_are_removed_after_a_day(cfu_home: Path, plates):
    old, fresh = cfu_home / "incoming" / ("0" * 32), cfu_home / "incoming" / ("1" * 32)
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "x.png").write_bytes(b"x")
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    import_source(plates)
    assert not old.exists()
    assert fresh.exists()


@pytest.mark.parametrize("name", ["none", "none.zip", "none.csv", "x" * 300, "a\0b"])
def test_no_such_source(tmp_path: Path, left_behind, name):
    with pytest.raises(DatasetError, match="does not exist"):
        import_source(tmp_path / name)
    assert left_behind() == []


def test_a_pipe_is_no_source(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DatasetError, match="is neither a file nor a folder"):
        import_source(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["1.jpg", "1.TIF"])
def test_a_single_image_is_no_source(tmp_path: Path, picture, name):
    (tmp_path / name).write_bytes(picture(1, Path(name).suffix.lower()))
    with pytest.raises(DatasetError, match=r"is a single image\..*Choose a folder or a zip"):
        import_source(tmp_path / name)


def test_a_blank_name_is_refused_at_once(plates, left_behind):
    with pytest.raises(DatasetError, match="has no name"):
        import_source(plates, name="  ")
    assert left_behind() == []


def run_python(code: str, *args: object, **more) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=120, check=False, **more)


@pytest.mark.usefixtures("one_by_one")
def test_an_import_whose_worker_processes_are_killed(cfu_home: Path, plates, left_behind, monkeypatch, worker_pids):
    monkeypatch.setattr(source_module, "_MIN_IMAGES_FOR_PROCESSES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)

    def progress(done, _):
        if done:
            for pid in worker_pids:
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(DatasetError, match="was ended from outside"):
        import_source(plates, progress=progress)
    assert left_behind() == []
    assert list((cfu_home / "incoming").iterdir()) == []
    assert len(worker_pids) == 2
    assert not any(psutil.pid_exists(pid) for pid in worker_pids)


def test_two_processes_import_at_once(cfu_home: Path, plates):
    code = """
        import sys
        from pathlib import Path
        from cfu_core.dataset.importing.source import import_source
        for turn in range(3):
            import_source(Path(sys.argv[1]), name=f"{sys.argv[2]} {turn}")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(plates)]
    running = [subprocess.Popen([*command, name], cwd=PROJECT, stderr=subprocess.PIPE, text=True) for name in "xy"]
    for process in running:
        assert process.communicate(timeout=120)[1] == ""
        assert process.returncode == 0
    names = {summary.name for summary in list_datasets()}
    assert names == {f"{name} {turn}" for name in "xy" for turn in range(3)}
    assert len(stored()) == 12
    assert all(load_dataset(name).read_image(12).shape == (6, 5, 3) for name in names)
    assert list((cfu_home / "incoming").iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users as on Unix")
def test_without_permission(plates):
    """As an ordinary user, since permissions do not bind root: a closed file and folder, then a closed home."""
    code = """
        import os, sys
        from pathlib import Path
        import pyarrow.parquet  # before the user changes: another one may not read this installation
        from cfu_core.dataset.catalog import list_datasets
        from cfu_core.dataset.importing.source import import_source
        from cfu_core.errors import DatasetError, ImageError, StorageError
        root, warm, home, closed = map(Path, sys.argv[1:])
        os.environ["CFU_HOME"] = str(warm)
        import_source(root)  # loads what is only loaded when needed
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        os.environ["CFU_HOME"] = str(home)
        made = import_source(root)
        print(len(made.images), [(issue.path, issue.kind) for issue in made.import_issues])
        os.environ["CFU_HOME"] = str(closed)
        for source in (root, root / "closed"):
            try:
                import_source(source)
            except StorageError as error:
                print("StorageError", error)
        os.environ["CFU_HOME"] = str(home)
        try:
            import_source(root / "C")
        except DatasetError as error:
            print("DatasetError", error)
        print(len(list_datasets()))
    """
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        work = Path(folder)
        work.chmod(0o755)
        root = work / "plates"
        shutil.copytree(plates, root)
        (root / "A" / "0.png").chmod(0)
        (root / "C").mkdir(mode=0)
        home, closed = work / "home", work / "closed"
        home.mkdir()
        home.chmod(0o777)
        closed.mkdir(mode=0o555)
        done = run_python(code, root, work / "warm", home, closed)
        (root / "C").chmod(0o755)
        assert list(closed.iterdir()) == []
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == ("12 [('A/0.png', 'no-permission'), ('B/bad.jpg', 'not-an-image'), ('C', 'no-permission')]")
    assert lines[1].startswith(f"StorageError No permission for {closed}")
    assert lines[2].startswith(f"StorageError No permission for {closed}")
    assert lines[3].startswith("DatasetError")
    assert "cannot be opened" in lines[3]
    assert lines[4] == "1"


@pytest.fixture
def small_disk(mounted) -> Path:
    """A file system of 1 MiB."""
    return mounted("size=1m")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("count", "side"), [(12, 200), (60, 100)])  # larger and smaller than what packs take
def test_a_full_disk(small_disk: Path, plates, write_tree, monkeypatch, count, side):
    import cv2
    import numpy as np

    monkeypatch.setenv("CFU_HOME", str(small_disk / "home"))
    earlier = import_source(plates)
    before = sorted(path for path in small_disk.rglob("*") if path.is_file() and path.suffix != ".lock")
    noise = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    large = {f"A/{number}.png": cv2.imencode(".png", pixels)[1].tobytes() for number, pixels in enumerate(noise)}
    root = write_tree(large, name="large")
    with pytest.raises(StorageError, match="The disk is full"):
        import_source(root)
    assert sorted(path for path in small_disk.rglob("*") if path.is_file() and path.suffix != ".lock") == before
    assert load_dataset(earlier.id).read_image(0).shape == (6, 5, 3)


@pytest.mark.real
def test_real_images(real_images: Path):
    made = import_source(real_images / "blood_lineages")
    assert made.counts == {"erythroblast": 208, "immature_granulocyte": 396, "lymphocyte": 124}
    assert made.import_issues == ()
    assert made.read_image(0).shape == (made.images["height"][0], made.images["width"][0], 3)
    assert len(stored()) == made.images["digest"].nunique()
    delete_dataset(made.id)
    assert stored() == []
