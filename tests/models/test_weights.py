import contextlib
import http.server
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import ResNet18_Weights

from cfu_core.errors import StopRequested, TrainingError, WeightsError
from cfu_core.models import weights as module
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.weight_files import WeightsRecord, verify_weights, weights_folder
from cfu_core.models.weights import imagenet_file, initial_network, read_state_dict

KEY = "resnet18"


@pytest.fixture(scope="module")
def saved() -> dict[str, torch.Tensor]:
    """A state dict of another seed than the tests use, with all 1000 classes."""
    return build_network(KEY, seed=99).state_dict()


def body(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith("fc.")}


def assert_body_is(network: nn.Module, state: dict[str, torch.Tensor]) -> None:
    found = network.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in body(state).items())


def promised(folder: Path, content: bytes, stem: str = "resnet18") -> Path:
    """A file whose name says how its hash begins."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{sha256(content).hexdigest()[:8]}.pth"
    path.write_bytes(content)
    return path


# --- random weights and local files


def test_none_means_random_weights_by_seed():
    network, record = initial_network(KEY, "none", 3, seed=4)
    other, _ = initial_network(KEY, "none", 3, seed=4)
    assert record == WeightsRecord(kind="none")
    assert record.label == "random weights"
    assert network.fc.out_features == 3
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("suffix", "classes"), [(".pth", 1000), (".pt", 4), (".safetensors", 4)])
def test_a_local_file_sets_all_weights_but_those_of_the_new_head(tmp_path, suffix, classes):
    source = build_network(KEY, seed=99)
    replace_head(source, KEY, classes, seed=98)
    path = tmp_path / f"mine{suffix}"
    if suffix == ".safetensors":
        save_file(source.state_dict(), path)
    else:
        torch.save(source.state_dict(), path)
    network, record = initial_network(KEY, str(path), 4, seed=1)
    assert_body_is(network, source.state_dict())
    assert network.fc.out_features == 4
    fresh = build_network(KEY, seed=1)
    replace_head(fresh, KEY, 4, seed=1)
    assert torch.equal(network.fc.weight, fresh.fc.weight)
    assert record == WeightsRecord(kind="file", name=path.name, sha256=sha256(path.read_bytes()).hexdigest())
    assert record.label == f"weights from {path.name}"


def test_a_state_dict_is_found_in_a_checkpoint_of_parallel_training(tmp_path, saved):
    path = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor in saved.items()}}, path)
    network, _ = initial_network(KEY, str(path), 3, seed=0)
    assert_body_is(network, saved)


def test_files_without_the_counters_of_batch_normalisation_are_loaded(tmp_path, saved):
    path = tmp_path / "old.pth"
    old = {name: t for name, t in saved.items() if not name.endswith("num_batches_tracked")}
    torch.save(old, path)
    network, _ = initial_network(KEY, str(path), 3, seed=0)
    assert_body_is(network, old)


def test_auxiliary_classifiers_of_googlenet_are_ignored(tmp_path):
    with torch.device("meta"):
        shapes = build_network("googlenet", seed=0).state_dict()
    state = {name: torch.full(tensor.shape, 0.5, dtype=tensor.dtype) for name, tensor in shapes.items()}
    path = tmp_path / "googlenet.pth"
    torch.save({**state, "aux1.fc1.weight": torch.zeros(2, 2), "aux2.fc2.bias": torch.zeros(2)}, path)
    network, _ = initial_network("googlenet", str(path), 3, seed=0)
    assert torch.equal(network.state_dict()["conv1.conv.weight"], state["conv1.conv.weight"])


# --- files that are refused


def test_weights_of_another_architecture_are_refused_with_counts(tmp_path):
    with torch.device("meta"):
        names = build_network("alexnet", seed=0).state_dict()
    path = tmp_path / "alexnet.pth"
    torch.save({name: torch.zeros(1) for name in names}, path)
    # of ResNet-18's 122 tensors 120 are no head's and 100 no counters; AlexNet has eight layers of two tensors
    expected = r"alexnet\.pth does not fit ResNet-18\. Tensors missing: 100, unknown: 16, of another shape: 0"
    with pytest.raises(WeightsError, match=expected):
        initial_network(KEY, str(path), 3, seed=0)


def test_tensors_of_another_shape_are_refused(tmp_path, saved):
    path = tmp_path / "wide.pth"
    torch.save({**saved, "conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(WeightsError, match=r"of another shape: 1 \(for example conv1\.weight\)"):
        initial_network(KEY, str(path), 3, seed=0)


def test_the_error_for_a_missing_file_names_its_path(tmp_path):
    with pytest.raises(WeightsError, match=r"no weights file at .*nowhere\.pth"):
        initial_network(KEY, str(tmp_path / "nowhere.pth"), 3, seed=0)


def test_a_folder_is_refused_as_a_weights_file(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        verify_weights(tmp_path)


def test_a_path_that_is_too_long_for_the_file_system_is_no_weights_file(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        verify_weights(tmp_path / ("a" * 300 + ".pth"))


def test_an_unknown_architecture_is_refused():
    with pytest.raises(TrainingError, match="no model"):
        initial_network("vgg99", "none", 3, seed=0)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x02",
        b"these are no weights\n" * 20,
        bytes(range(256)) * 8,
        b"PK\x03\x04" + b"\0" * 100,
        b"\x08\0\0\0\0\0\0\0{}      ",
    ],
    ids=["empty", "start of a pickle", "text", "bytes", "start of a zip", "no tensors"],
)
def test_files_that_are_not_weights_are_refused(tmp_path, suffix, content):
    path = tmp_path / f"strange{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="strange"):
        initial_network(KEY, str(path), 3, seed=0)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_truncated_files_are_refused(tmp_path, saved, suffix, kept):
    path = tmp_path / f"cut{suffix}"
    small = {name: t for name, t in saved.items() if t.numel() < 5000}
    save_file(small, path) if suffix == ".safetensors" else torch.save(small, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(WeightsError, match=r"cut.* cannot be read as weights: ."):
        read_state_dict(path)


def test_a_truncated_legacy_file_is_refused(tmp_path, saved):
    path = tmp_path / "legacy.pth"
    torch.save({"a": saved["bn1.weight"]}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    for end in range(1, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:end])
        with pytest.raises(WeightsError, match=r"legacy\.pth cannot be read as weights"):
            read_state_dict(path)


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, 7, {"state_dict": {"a": "b"}}, {0: torch.zeros(2)}])
def test_files_without_tensors_by_name_are_refused(tmp_path, value):
    path = tmp_path / "other.pth"
    torch.save(value, path)
    with pytest.raises(WeightsError, match="does not contain a state dict"):
        read_state_dict(path)


class Trap:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return Path.touch, (self.target,)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(tmp_path, how):
    path, target = tmp_path / "trap.pth", tmp_path / "ran"
    if how == "torch":
        torch.save({"conv1.weight": Trap(target)}, path)
    else:
        path.write_bytes(pickle.dumps({"conv1.weight": Trap(target)}, protocol=2))
    with pytest.raises(WeightsError, match=r"trap\.pth cannot be read as weights"):
        initial_network(KEY, str(path), 3, seed=0)
    assert not target.exists()


# --- what a name promises


def test_a_hash_in_the_file_name_is_verified(tmp_path):
    path = promised(tmp_path, b"content")
    assert verify_weights(path) == sha256(b"content").hexdigest()
    path.write_bytes(b"contenT")
    with pytest.raises(WeightsError, match=r"damaged or truncated.*According to its name, its SHA-256 begins with"):
        verify_weights(path)


@pytest.mark.parametrize(
    "name", ["mine.pth", "resnet18-v2.pth", "colonies-20260131.pth", "fine-tuned-19991224.safetensors"]
)
def test_names_without_a_hash_are_not_verified(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"content")
    assert verify_weights(path) == sha256(b"content").hexdigest()


def test_a_hash_that_consists_of_digits_is_verified_too(tmp_path):
    path = tmp_path / "vgg13-19584684.pth"
    path.write_bytes(b"content")
    with pytest.raises(WeightsError, match="damaged"):
        verify_weights(path)


@pytest.mark.real
def test_a_git_lfs_pointer_is_recognised(real_images):
    path = real_images / "broken_weights" / "lfs-pointer-resnet18-5c106cde.pth"
    with pytest.raises(WeightsError, match=r"not a weights file but a Git LFS pointer of 133 bytes.*git lfs pull"):
        initial_network(KEY, str(path), 3, seed=0)


@pytest.mark.real
def test_a_truncated_download_is_reported_as_damaged(real_images):
    path = real_images / "broken_weights" / "truncated-resnet18-5c106cde.pth"
    with pytest.raises(WeightsError, match=r"damaged or truncated: it has 1,048,576 bytes.*begins with 5c106cde"):
        initial_network(KEY, str(path), 3, seed=0)


@pytest.mark.real
def test_a_truncated_file_is_refused_under_any_name(real_images, tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes((real_images / "broken_weights" / "truncated-resnet18-5c106cde.pth").read_bytes())
    with pytest.raises(WeightsError, match=r"mine\.pth cannot be read as weights"):
        initial_network(KEY, str(path), 3, seed=0)


# --- ImageNet


class Served:
    """A web server on this machine that has one file."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests = 0


@contextlib.contextmanager
def serving(
    name: str,
    content: bytes,
    *,
    status: int = 200,
    announced: int | None = None,
    half_way: Callable[[], object] = lambda: None,
) -> Iterator[Served]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests += 1
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if announced is None else announced))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            half_way()
            self.wfile.write(content[half:])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served = Served(f"http://127.0.0.1:{server.server_port}/models/{name}")
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def set_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let torchvision's entry for ResNet-18 name another address; everything else stays real."""
    monkeypatch.setattr(
        ResNet18_Weights.IMAGENET1K_V1, "_value_", replace(ResNet18_Weights.IMAGENET1K_V1.value, url=url)
    )
    assert ResNet18_Weights.IMAGENET1K_V1.url == url


@pytest.fixture
def content(tmp_path, saved) -> bytes:
    """A file of weights as torchvision publishes them."""
    path = tmp_path / "published.pth"
    torch.save(saved, path)
    return path.read_bytes()


@pytest.mark.usefixtures("cfu_home")
def test_imagenet_weights_are_downloaded_once_verified_and_used(monkeypatch, saved, content):
    name = f"resnet18-{sha256(content).hexdigest()[:8]}.pth"
    with serving(name, content) as server:
        set_url(monkeypatch, server.url)
        network, record = initial_network(KEY, "imagenet", 3, seed=0)
        assert_body_is(network, saved)
        assert record == WeightsRecord(kind="imagenet", name=name, sha256=sha256(content).hexdigest())
        assert record.label == "ImageNet weights"
        assert [path.name for path in weights_folder().iterdir()] == [name]
        initial_network(KEY, "imagenet", 3, seed=0)
        assert server.requests == 1


@pytest.mark.usefixtures("cfu_home")
def test_a_download_reports_its_progress(monkeypatch):
    content = bytes(4 * 2**20)
    shown, seen = [], threading.Event()

    def progress(done: int, total: int) -> None:
        shown.append((done, total))
        if done:
            seen.set()

    name = f"resnet18-{sha256(content).hexdigest()[:8]}.pth"
    with serving(name, content, half_way=lambda: seen.wait(60)) as server:
        set_url(monkeypatch, server.url)
        imagenet_file(KEY, progress=progress)
    assert (2, 45) in shown  # megabytes, of the size that torchvision announces


@pytest.mark.usefixtures("cfu_home")
def test_a_download_with_another_hash_is_refused_and_not_kept(monkeypatch):
    with serving("resnet18-0123abcd.pth", b"an error page") as server:
        set_url(monkeypatch, server.url)
        with pytest.raises(WeightsError, match=r"download of resnet18-0123abcd\.pth was damaged.*Try again"):
            imagenet_file(KEY)
    assert list(weights_folder().iterdir()) == []


@pytest.mark.usefixtures("cfu_home")
def test_a_download_that_breaks_off_is_refused_and_not_kept(monkeypatch):
    whole = b"0123456789" * 50_000
    name = f"resnet18-{sha256(whole).hexdigest()[:8]}.pth"
    with serving(name, whole[:1000], announced=len(whole)) as server:
        set_url(monkeypatch, server.url)
        with pytest.raises(WeightsError, match=r"resnet18-|ResNet-18"):
            imagenet_file(KEY)
    assert list(weights_folder().iterdir()) == []


def test_without_a_connection_the_error_names_the_address_and_the_path_of_the_file(cfu_home, monkeypatch):
    url = "http://127.0.0.1:9/models/resnet18-f37072fd.pth"
    set_url(monkeypatch, url)
    with pytest.raises(WeightsError) as refused:
        initial_network(KEY, "imagenet", 3, seed=0)
    assert "ImageNet weights for ResNet-18 could not be downloaded" in str(refused.value)
    assert url in str(refused.value)
    assert str(cfu_home / "weights" / "resnet18-f37072fd.pth") in str(refused.value)


@pytest.mark.usefixtures("cfu_home")
@pytest.mark.parametrize("status", [404, 503])
def test_the_error_for_a_refusing_server_contains_its_status(monkeypatch, status):
    with serving("resnet18-0123abcd.pth", b"", status=status) as server:
        set_url(monkeypatch, server.url)
        with pytest.raises(WeightsError, match=f"could not be downloaded.*{status}"):
            imagenet_file(KEY)


@pytest.mark.usefixtures("cfu_home")
def test_an_invalid_answer_of_the_server_is_reported(monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"nonsense\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        set_url(monkeypatch, f"http://127.0.0.1:{server.getsockname()[1]}/resnet18-0123abcd.pth")
        with pytest.raises(WeightsError, match="could not be downloaded"):
            imagenet_file(KEY)
        thread.join()


@pytest.mark.usefixtures("cfu_home")
def test_a_file_copied_there_by_a_user_is_used_without_a_connection(monkeypatch, saved, content):
    path = promised(weights_folder(), content)
    set_url(monkeypatch, f"http://127.0.0.1:9/models/{path.name}")
    network, record = initial_network(KEY, "imagenet", 3, seed=0)
    assert_body_is(network, saved)
    assert record.kind == "imagenet"


@pytest.mark.usefixtures("cfu_home")
def test_a_damaged_file_copied_there_by_a_user_is_refused(monkeypatch, content):
    path = promised(weights_folder(), content)
    path.write_bytes(content[:-1])
    set_url(monkeypatch, f"http://127.0.0.1:9/models/{path.name}")
    with pytest.raises(WeightsError, match="damaged or truncated"):
        initial_network(KEY, "imagenet", 3, seed=0)


@pytest.mark.parametrize("key", ["alexnet", "googlenet", "resnet18"])
def test_torchvisions_file_names_contain_a_hash(key):
    url = module.get_model_weights(key).IMAGENET1K_V1.url
    assert module.HASH_IN_NAME.search(url.rsplit("/", 1)[1])


@pytest.mark.usefixtures("cfu_home")
def test_a_stop_ends_a_download_and_leaves_nothing(monkeypatch):
    content = bytes(4 * 2**20)
    stopped = threading.Event()

    def stop(done: int, _total: int) -> None:
        if done:
            raise StopRequested

    with serving("resnet18-00000000.pth", content, half_way=lambda: stopped.wait(60)) as server:
        set_url(monkeypatch, server.url)
        with pytest.raises(StopRequested):
            imagenet_file(KEY, progress=stop)
        assert list(weights_folder().iterdir()) == []
        stopped.set()
