"""Initial weights of a network: ImageNet weights (downloaded by torchvision's means), a local file, or random.

Loading a file never runs code from it: files are read with ``weights_only=True`` or as safetensors.
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
    HASH_IN_NAME,
    IMAGENET,
    NONE,
    WeightsRecord,
    check_imagenet_weights,
    local_weights,
    verify_weights,
    weights_folder,
)
from cfu_core.storage import storage_errors

STALLED_S = 60  # seconds without a byte after which a download is aborted
#: Called with the number of megabytes that have been downloaded, and the number of all megabytes.
Progress = Callable[[int, int], None]


def initial_network(
    key: str, weights: str, classes: int, *, seed: int, progress: Progress = lambda done, total: None
) -> tuple[nn.Module, WeightsRecord]:
    """Build a network for training: load the weights and replace the head.

    Parameters
    ----------
    key : str
        Name of the architecture.
    weights : str
        ``imagenet``, ``none`` (random weights), or the path of a local file.
    classes : int
        Number of outputs of the new head.
    seed : int
        Seed of the head, and of all weights if `weights` is ``none``.
    progress : callback ``(done, total)``
        Called with megabytes, about four times a second while ImageNet weights are downloaded; not called without a
        download. It may raise `StopRequested`, which aborts the download and is passed on.

    Returns
    -------
    network : Module
        On torch's default device, normally the CPU, in training mode. All layers but the head have the weights of the
        file.
    record : WeightsRecord
        The weights that were loaded: kind, name and SHA-256 of the file.

    Raises
    ------
    WeightsError
        The download failed; torchvision provides no ImageNet weights for this network; or the file is missing, is
        damaged, or belongs to another network.
    StorageError
        The file cannot be read, or the downloaded file cannot be written: the disk is full, or the folder is not
        writable.
    TrainingError
        No architecture has this name.
    """
    network = build_network(key, seed=seed)
    record = WeightsRecord(kind=NONE)
    if weights != NONE:
        path = imagenet_file(key, progress=progress) if weights == IMAGENET else Path(weights)
        record = WeightsRecord(
            kind=IMAGENET if weights == IMAGENET else "file", name=path.name, sha256=verify_weights(path)
        )
        _load_body(network, key, read_state_dict(path), path)
    replace_head(network, key, classes, seed=seed)
    return network, record


def imagenet_file(key: str, *, progress: Progress = lambda done, total: None) -> Path:
    """Return torchvision's file of ImageNet weights; download it if it is not in the folder of weights.

    torch.hub downloads the file, verifies its hash and shows its own progress bar in a terminal. A file that already is
    in the folder is not verified here; `verify_weights` does that. Nothing is kept of an aborted download.

    Parameters
    ----------
    key : str
        Name of the architecture.
    progress : callback ``(done, total)``
        Called with megabytes, about four times a second during the download. It may raise `StopRequested`, which aborts
        the download and is passed on.

    Returns
    -------
    Path
        In `weights_folder`, under torchvision's name.

    Raises
    ------
    WeightsError
        The server cannot be reached, or sends nothing for `STALLED_S` seconds; the hash of the downloaded file differs
        from the one in its name; or torchvision provides no ImageNet weights for this network.
    StorageError
        The disk is full, or the folder of weights is not writable.
    TrainingError
        No architecture has this name.
    """
    check_imagenet_weights(key)
    weights = get_model_weights(key).IMAGENET1K_V1
    url = weights.url
    path = weights_folder() / url.rsplit("/", 1)[1]
    if found := local_weights((path.name,)):
        return found
    try:
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _download(url, path, weights.meta["_file_size"], progress)
    except (OSError, HTTPException) as error:  # urllib's own errors are OSErrors
        raise WeightsError(
            f"ImageNet weights for {architecture(key).label} could not be downloaded: {error}.",
            f"They are at {url}.",
            f"Connect to the internet; or download the file elsewhere and copy it to {path}; "
            "or begin with random weights.",
        ) from error
    except RuntimeError as error:  # torch.hub raises it for a wrong hash
        raise WeightsError(
            f"The download of {path.name} was damaged: {error}.", "", "Nothing was kept. Try again."
        ) from error
    return path


def _download(url: str, path: Path, megabytes: float, progress: Progress) -> None:
    """Download with torch.hub, which verifies the hash, in a thread, so that `progress` can abort it by raising."""
    expected = HASH_IN_NAME.search(path.name)
    failures: list[Exception] = []

    def fetch() -> None:
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=expected[1] if expected else None)
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that waits
            failures.append(error)

    default_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALLED_S)
    thread = threading.Thread(target=fetch, daemon=True)  # an aborted download does not keep the process alive
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.25)
            with suppress(FileNotFoundError):  # the file may get its final name between glob and stat
                sizes = [part.stat().st_size for part in path.parent.glob(f"{path.name}.*.partial")]
                progress(round(max(sizes, default=0) / 2**20), round(megabytes))
    except BaseException:
        for part in path.parent.glob(f"{path.name}.*.partial"):
            part.unlink(missing_ok=True)
        raise
    finally:
        socket.setdefaulttimeout(default_timeout)
    if failures:
        raise failures.pop()  # popped: a traceback that refers to its own error would keep the socket open


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a weights file, by name.

    A state dict inside a checkpoint (under ``state_dict``) is found, and the prefix ``module.`` of parallel training
    is removed from names.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file, or any other file that `torch.load` reads.

    Returns
    -------
    dict of str to Tensor
        On the CPU.

    Raises
    ------
    WeightsError
        The file is missing, damaged or not readable for this user, or does not contain a state dict.
    """
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except Exception as error:
        # for a damaged or foreign file PyTorch raises many kinds of errors, some without a message
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path.name} cannot be read as weights: {reason}",
            "A PyTorch state dict (.pth, .pt) or a .safetensors file is expected.",
            "Check that the download is complete.",
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()
    ):
        raise WeightsError(
            f"{path.name} does not contain a state dict.",
            "Tensors by name are expected.",
            "Save the weights with torch.save(model.state_dict(), path).",
        )
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _load_body(network: nn.Module, key: str, state: dict[str, torch.Tensor], path: Path) -> None:
    """Load all tensors but those of the head, which has other classes, and of auxiliary classifiers."""
    head = architecture(key).head + "."
    own = network.state_dict()
    body = {n: t for n, t in state.items() if not n.startswith((head, *architecture(key).ignored_prefixes))}
    required = {n for n in own if not n.startswith(head)}
    missing, unexpected = sorted(required - set(body)), sorted(set(body) - required)
    misshapen = sorted(n for n in required & set(body) if own[n].shape != body[n].shape)
    # files from before 2017 lack the batch counters of batch normalisation, which inference does not use
    missing = [n for n in missing if not n.endswith("num_batches_tracked")]
    if missing or unexpected or misshapen:
        example = (missing or unexpected or misshapen)[0]
        raise WeightsError(
            f"{path.name} does not fit {architecture(key).label}. Tensors missing: {len(missing)}, unknown: "
            f"{len(unexpected)}, of another shape: {len(misshapen)} (for example {example}).",
            f"A state dict of torchvision's {key} is expected.",
            "Choose the model that these weights belong to.",
        )
    network.load_state_dict(body, strict=False)
