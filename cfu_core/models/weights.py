"""What a network begins with: ImageNet's weights by torchvision's own download, a local file, or chance.

A file never runs code: ``weights_only=True``, or safetensors.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torchvision.models import get_model_weights

from cfu_core.errors import WeightsError
from cfu_core.models.networks import build_network, replace_head
from cfu_core.models.registry import architecture
from cfu_core.models.weight_files import (
    IMAGENET,
    NONE,
    PROMISED_HASH,
    WeightsRecord,
    check_file,
    check_offered,
    weights_folder,
)
from cfu_core.storage import storage_errors

STALLED_S = 60  # seconds without a byte after which a download is given up
Progress = Callable[[int, int], None]


def initial_network(
    key: str, weights: str, classes: int, *, seed: int, progress: Progress = lambda done, total: None
) -> tuple[nn.Module, WeightsRecord]:
    """A network ready for training: weights loaded, head replaced.

    Parameters
    ----------
    key : str
        Name of the architecture.
    weights : str
        ``imagenet``, ``none``, or the path of a local file.
    classes : int
    seed : int
        For the head, and for everything when the weights are ``none``.
    progress : callable
        Called with megabytes downloaded and in all, while ImageNet's weights are downloaded; may raise
        `StopRequested`.

    Returns
    -------
    nn.Module, WeightsRecord

    Raises
    ------
    WeightsError
        The download failed, or the file is missing, damaged, or of another network.
    TrainingError
        The architecture is unknown.
    """
    network = build_network(key, seed=seed)
    record = WeightsRecord(kind=NONE)
    if weights != NONE:
        path = imagenet_file(key, progress=progress) if weights == IMAGENET else Path(weights)
        record = WeightsRecord(
            kind=IMAGENET if weights == IMAGENET else "file", name=path.name, sha256=check_file(path)
        )
        _load_body(network, key, read_state(path), path)
    replace_head(network, key, classes, seed=seed)
    return network, record


def imagenet_file(key: str, *, progress: Progress = lambda done, total: None) -> Path:
    """torchvision's ImageNet weights on this disk; downloaded by torch.hub when they are not here yet.

    A terminal shows torch.hub's own progress bar; `progress` is called with megabytes done and in all, for others.

    Raises
    ------
    WeightsError
        There is no way to the download server, what came has another hash, or torchvision has none.
    """
    check_offered(key)
    weights = get_model_weights(key).IMAGENET1K_V1
    url = weights.url
    path = weights_folder() / url.rsplit("/", 1)[1]
    if path.exists():
        return path
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _download(url, path, weights.meta["_file_size"], progress)
    except (OSError, HTTPException) as error:  # urllib's own errors are OSErrors
        raise WeightsError(
            f"ImageNet weights for {architecture(key).label} could not be downloaded: {error}.",
            f"They come from {url}.",
            f"Connect to the internet; or download the file elsewhere and put it at {path}; "
            "or start from random weights (none).",
        ) from error
    except RuntimeError as error:  # torch.hub's word for a wrong hash
        raise WeightsError(
            f"The download of {path.name} was damaged: {error}.", "", "Nothing was kept. Try again."
        ) from error
    return path


def _download(url: str, path: Path, megabytes: float, progress: Progress) -> None:
    """torch.hub's download with its hash check, in a thread, so that `progress` can end it by raising."""
    promised = PROMISED_HASH.search(path.name)
    failures: list[Exception] = []

    def fetch() -> None:
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=promised[1] if promised else None)
        except Exception as error:  # noqa: BLE001 - it is raised again below, where it is waited for
            failures.append(error)

    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_S)
    thread = threading.Thread(target=fetch, daemon=True)  # an abandoned download does not hold up the process
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.25)
            with suppress(FileNotFoundError):  # it takes its final name between two looks
                sizes = [part.stat().st_size for part in path.parent.glob(f"{path.name}.*.partial")]
                progress(round(max(sizes, default=0) / 2**20), round(megabytes))
    except BaseException:
        for part in path.parent.glob(f"{path.name}.*.partial"):
            part.unlink(missing_ok=True)
        raise
    finally:
        socket.setdefaulttimeout(patience)
    if failures:
        raise failures.pop()  # a traceback that held its own error would keep its socket open


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file, by name.

    Raises
    ------
    WeightsError
        The file cannot be read as weights.
    """
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:
        # PyTorch's reader breaks off in a damaged or foreign file with whatever it stumbles over, some of it wordless.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path.name} cannot be read as weights: {reason}",
            "A PyTorch state dict (.pth, .pt) or a .safetensors file is expected.",
            "Check that it was downloaded whole.",
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(
            f"{path.name} holds no state dict.",
            "Tensors by name are expected.",
            "Save it with model.state_dict().",
        )
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _load_body(network: nn.Module, key: str, state: dict[str, torch.Tensor], path: Path) -> None:
    """Load everything but the head, whose classes are others; classifiers that only serve training are left out."""
    head = architecture(key).head + "."
    own = network.state_dict()
    body = {n: t for n, t in state.items() if not n.startswith((head, *architecture(key).left_out))}
    wanted = {n for n in own if not n.startswith(head)}
    missing, unexpected = sorted(wanted - set(body)), sorted(set(body) - wanted)
    misshapen = sorted(n for n in wanted & set(body) if own[n].shape != body[n].shape)
    # files from before 2017 lack the counters of batch normalisation, which inference does not use
    missing = [n for n in missing if not n.endswith("num_batches_tracked")]
    if missing or unexpected or misshapen:
        example = (missing or unexpected or misshapen)[0]
        raise WeightsError(
            f"{path.name} does not fit {architecture(key).label}: {len(missing)} tensors are missing, "
            f"{len(unexpected)} unknown and {len(misshapen)} of another shape (for example {example}).",
            f"A state dict of torchvision's {key} is expected.",
            "Choose the model these weights belong to.",
        )
    network.load_state_dict(body, strict=False)
