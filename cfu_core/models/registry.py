"""The networks, each in one entry: what it is called, what it takes in and where its classification layer is.

Nothing here imports torch, so that pages and the shell can ask without waiting for it; `cfu_core.models.networks`
builds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cfu_core.errors import TrainingError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A torchvision classification network.

    Parameters
    ----------
    key : str
        torchvision's name of the network; ours on the command line and in files.
    label : str
        The name on screens.
    input_size : int
        Side of the input in pixels, as in Zamani et al. (2023).
    head : str
        Dotted name of the classification layer, an `nn.Linear`.
    options : mapping
        What torchvision's builder is called with, besides ``weights=None``.
    """

    key: str
    label: str
    input_size: int
    head: str
    options: Mapping[str, Any] = field(default_factory=dict)


ARCHITECTURES = MappingProxyType(
    {
        a.key: a
        for a in (
            Architecture(key="alexnet", label="AlexNet", input_size=224, head="classifier.6"),
            Architecture(
                key="googlenet",
                label="GoogLeNet",
                input_size=299,
                head="fc",
                # transform_input turns the ImageNet normalisation into the one GoogLeNet was trained with; the
                # auxiliary classifiers are left out, as torchvision does when it loads the ImageNet weights
                options={"aux_logits": False, "transform_input": True, "init_weights": True},
            ),
            Architecture(key="resnet18", label="ResNet-18", input_size=299, head="fc"),
        )
    }
)


def architecture(key: str) -> Architecture:
    """The registered architecture of that name.

    Raises
    ------
    TrainingError
        There is none; lists those there are.
    """
    try:
        return ARCHITECTURES[key]
    except KeyError:
        raise TrainingError(f"There is no model named {key!r}.", f"Known models: {', '.join(ARCHITECTURES)}.") from None
