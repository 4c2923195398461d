"""A bundle's network: written as ONNX, and rebuilt from its weights with PyTorch."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cfu_core.bundle.classification import Network
from cfu_core.bundle.contents import WEIGHTS, Bundle
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.models.registry import architecture
from cfu_core.runs.model_files import read_network


class Whole(nn.Module):
    """A network with what comes before and after it: bytes in, probabilities out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Probabilities (N, C) of images of uint8, shape (N, S, S, 3)."""
        return self.network(normalise(to_floats(images))).softmax(dim=1)


def write_onnx(network: nn.Module, key: str, path: Path) -> None:
    """Write a network in evaluation mode, with its normalisation and softmax, as one ONNX file.

    Parameters
    ----------
    network : nn.Module
        On the CPU.
    key : str
        Name of its architecture.
    path : Path
    """
    side = architecture(key).input_size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own inner workings
        program = torch.onnx.export(
            Whole(network).eval(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        )
        assert program is not None  # with dynamo there is one
        program.save(path)


def torch_network(bundle: Bundle) -> Network:
    """The network that a bundle's weights make of the registered architecture, on the CPU.

    Raises
    ------
    WeightsError
        They do not fit.
    """
    facts = bundle.manifest
    whole = Whole(read_network(bundle.folder / WEIGHTS, facts["architecture"], len(bundle.classes))).eval()

    def probabilities(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return whole(torch.from_numpy(images)).numpy()

    return probabilities
