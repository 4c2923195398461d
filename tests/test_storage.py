import errno
import json
import math
import os
import subprocess
import sys

import pytest

from cfu_core import PROJECT
from cfu_core.errors import StorageError
from cfu_core.storage import check_home, home, new_folder, read_json, replacing, storage_errors, write_bytes, write_json


def test_the_home_folder_is_cfu_home(cfu_home):
    assert home() == cfu_home
    assert not cfu_home.exists()


def test_a_home_folder_may_be_relative_or_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CFU_HOME", "here")
    assert home() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CFU_HOME", "~/there")
    assert home() == tmp_path / "there"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_without_cfu_home_the_platforms_folder_is_used(monkeypatch, tmp_path, value):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CFU_HOME", raising=False)
    if value is not None:
        monkeypatch.setenv("CFU_HOME", value)
    assert home().name == "cfu-workbench"
    assert home().is_relative_to(tmp_path)


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_home_that_is_a_file_is_refused(monkeypatch, tmp_path, below):
    (tmp_path / "file").write_text("text")
    monkeypatch.setenv("CFU_HOME", str(tmp_path / "file" / below))
    with pytest.raises(StorageError, match=r"home folder .*file.* cannot be used: .*is not a folder.*Set CFU_HOME"):
        check_home()


@pytest.mark.parametrize(
    ("value", "reason"),
    [("x" * 300, "too long"), ("~nobody-of-this-name/home", "not known"), ("/proc/home", "No such")],
)
def test_a_home_that_cannot_be_created_is_refused(monkeypatch, tmp_path, value, reason):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CFU_HOME", value)
    with pytest.raises(StorageError, match=reason):
        check_home()


def test_a_home_that_is_a_link_to_nothing_is_refused(monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    monkeypatch.setenv("CFU_HOME", str(tmp_path / "link"))
    with pytest.raises(StorageError, match="is not a folder"):
        check_home()


def test_a_usable_home_is_not_created_by_the_check(cfu_home):
    check_home()
    assert list(cfu_home.parent.iterdir()) == []
    cfu_home.mkdir()
    check_home()


def test_a_file_in_the_place_of_a_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("text")
    for write in (write_json, lambda path, value: new_folder(path).__enter__()):
        with pytest.raises(StorageError, match=r"cannot be created: .*file is not a folder"):
            write(tmp_path / "file" / "deep" / "v.json", 1)
        with pytest.raises(StorageError, match=r"cannot be created: .*file is not a folder"):
            write(tmp_path / "file" / "v.json", 1)


def test_a_file_is_replaced(tmp_path):
    path = tmp_path / "deep" / "er" / "file.txt"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_readers_see_the_old_file_until_the_block_ends(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")
    with replacing(path) as draft:
        draft.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert draft.parent == path.parent
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as draft:
            draft.write_bytes(b"ne")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_read_as_it_was_written(tmp_path):
    value = {"a": [1, 2.5, None, True], "ü": {"deep": "×"}, "1": []}
    write_json(tmp_path / "v.json", value)
    assert read_json(tmp_path / "v.json") == value
    assert "×" in (tmp_path / "v.json").read_text(encoding="utf-8")


def test_nan_and_infinity_become_null(tmp_path):
    write_json(tmp_path / "v.json", {"a": [math.nan, (math.inf, 1.0)], 2: -math.inf})
    text = (tmp_path / "v.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, [None, 1.0]], "2": None}


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "v.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "v.json", {"a": object()})
    assert read_json(tmp_path / "v.json") == 1


@pytest.mark.parametrize("text", ["", "{", "nothing", '{"a": 1'])
def test_the_error_for_damaged_json_names_the_path(tmp_path, text):
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(StorageError, match=r"v\.json is damaged"):
        read_json(path)


def test_bytes_that_are_not_text_are_damaged_json(tmp_path):
    path = tmp_path / "v.json"
    path.write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(StorageError, match=r"v\.json is damaged"):
        read_json(path)


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "v.json")


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EACCES, "No permission"),
        (errno.EPERM, "No permission"),
        (errno.EROFS, "No permission"),
    ],
)
def test_system_errors_are_reported_with_a_remedy(tmp_path, number, message):
    with pytest.raises(StorageError, match=rf"{message}.*CFU_HOME"), storage_errors(tmp_path / "x"):
        raise OSError(number, os.strerror(number))


def test_other_system_errors_are_not_converted(tmp_path):
    with pytest.raises(IsADirectoryError), storage_errors(tmp_path):
        raise IsADirectoryError(errno.EISDIR, "is a directory")


def test_a_full_disk_is_reported_and_the_old_file_is_kept(mounted):
    disk = mounted("size=64k")
    path = disk / "file.bin"
    write_bytes(path, b"old")
    with pytest.raises(StorageError, match=r"The disk is full.*No existing file was changed"):
        write_bytes(path, bytes(200_000))
    assert path.read_bytes() == b"old"
    assert list(disk.iterdir()) == [path]


def test_a_read_only_disk_is_reported(mounted):
    disk = mounted("size=64k")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(StorageError, match="No permission"):
        write_json(disk / "deep" / "v.json", 1)


def test_a_folder_of_another_user_is_reported(tmp_path):
    # root may do everything, so another user has to try
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    tmp_path.chmod(0o755)
    program = (
        "import sys, pathlib, os\n"
        "from cfu_core.storage import write_json, read_json\n"
        "from cfu_core.errors import StorageError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "for act in (lambda p: write_json(p / 'v.json', 1), lambda p: write_json(p / 'new' / 'v.json', 1),\n"
        "            lambda p: read_json(p / 'secret.json')):\n"
        "    try:\n"
        "        act(pathlib.Path(sys.argv[1]))\n"
        "    except StorageError as error:\n"
        "        print(error)\n"
    )
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o755)
    (locked / "secret.json").write_text("1")
    (locked / "secret.json").chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", program, str(locked)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    assert all(line.startswith("No permission for ") for line in lines)
    assert [path.name for path in locked.iterdir()] == ["secret.json"]


def test_a_new_folder_appears_complete_or_not_at_all(tmp_path):
    with new_folder(tmp_path / "made" / "here") as draft:
        (draft / "file").write_text("text")
        assert not (tmp_path / "made" / "here").exists()
    assert (tmp_path / "made" / "here" / "file").read_text() == "text"
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "broken") as draft:
        (draft / "file").write_text(str(1 / 0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made"]


def test_a_new_folder_replaces_an_empty_folder_only(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("kept")
    with new_folder(tmp_path / "empty") as draft:
        (draft / "file").touch()
    assert (tmp_path / "empty" / "file").exists()
    with pytest.raises(StorageError, match="already exists"), new_folder(tmp_path / "full"):
        pass
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
