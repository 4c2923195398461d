"""The network of a bundle: export as ONNX, and reconstruction from its weights with PyTorch."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cfu_core.bundle.classification import Network, Outputs
from cfu_core.bundle.contents import WEIGHTS, Bundle
from cfu_core.models.networks import logits_and_features
from cfu_core.models.normalisation import normalise, to_floats
from cfu_core.models.registry import architecture
from cfu_core.runs.model_files import read_network


class ProbabilityNetwork(nn.Module):
    """A network with normalisation and softmax: from uint8 images to probabilities and features.

    Parameters
    ----------
    network : nn.Module
        Classifier without softmax, whose input is normalised by `cfu_core.models.normalisation.normalise`. It is not
        copied.
    key : str
        Name of its architecture.
    """

    def __init__(self, network: nn.Module, key: str) -> None:
        super().__init__()
        self.network = network
        self._key = key

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the class probabilities and the features of preprocessed images.

        Parameters
        ----------
        images : Tensor of uint8, shape (N, S, S, 3)
            RGB images of the network's input size.

        Returns
        -------
        probabilities : Tensor of float32, shape (N, C)
            Softmax outputs, 0 to 1; rows sum to 1.
        features : Tensor of float32, shape (N, F)
            Inputs of the classification layer, from `cfu_core.models.networks.logits_and_features`.
        """
        with logits_and_features(self.network, self._key) as both:
            logits, features = both(normalise(to_floats(images)))
        return logits.softmax(dim=1), features


def write_onnx(network: nn.Module, key: str, path: Path) -> None:
    """Write a network with normalisation and softmax as one ONNX file, in evaluation mode.

    Its input ``images`` is uint8 of shape (N, S, S, 3), RGB, with any N; its outputs are ``probabilities``, float32 of
    shape (N, C), and ``features``, float32 of shape (N, F), the inputs of the classification layer.

    Parameters
    ----------
    network : nn.Module
        Classifier without softmax, on the CPU. It is set to evaluation mode.
    key : str
        Name of its architecture, which determines the input size S.
    path : Path
        File to write, not atomically; an existing file is replaced.

    Raises
    ------
    TrainingError
        No architecture is named `key`.
    OSError
        The disk is full, or the folder is missing or not writable.
    """
    side = architecture(key).input_size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from the exporter, about its internals
        program = torch.onnx.export(
            ProbabilityNetwork(network, key).eval(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["images"],
            output_names=list(Outputs._fields),
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        )
        assert program is not None  # never None with dynamo
        program.save(path)


def torch_network(bundle: Bundle) -> Network:
    """Build the network of a bundle from its weights with PyTorch, on the CPU.

    Parameters
    ----------
    bundle : Bundle
        Bundle with ``model.safetensors``.

    Returns
    -------
    Network
        Function from preprocessed images (ndarray of uint8, shape (N, S, S, 3), RGB) to probabilities (ndarray of
        float32, shape (N, C), columns in the order of ``bundle.classes``) and features. It normalises the images
        itself.

    Raises
    ------
    WeightsError
        ``model.safetensors`` is missing, damaged or not readable, or does not fit the architecture.
    TrainingError
        This program does not know the architecture.
    """
    key = bundle.manifest["architecture"]
    network = ProbabilityNetwork(read_network(bundle.folder / WEIGHTS, key, len(bundle.classes)), key).eval()

    def outputs(images: np.ndarray) -> Outputs:
        with torch.inference_mode():
            return Outputs(*(output.numpy() for output in network(torch.from_numpy(images))))

    return outputs
