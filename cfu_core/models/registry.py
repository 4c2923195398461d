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
    """A classification network, torchvision's unless `cfu_core.models.networks.OWN` has it.

    Parameters
    ----------
    key : str
        torchvision's name of the network; ours on the command line and in files.
    label : str
        The name on screens.
    input_size : int
        Side of the input in pixels: as in Zamani et al. (2023), or as the network was published with.
    head : str
        Dotted name of the classification layer, an `nn.Linear` or an `nn.Conv2d` of 1 x 1.
    cam : str
        Dotted name of the layer that Grad-CAM looks at: the last one whose output is still an image.
    note : str
        In one line: what speaks for it.
    options : mapping
        What its builder is called with, besides ``weights=None``.
    left_out : tuple of str
        How names of tensors begin that ImageNet's file has and the network has not: classifiers for training only.
    rectifier : str
        Dotted name of a rectifier behind the head, which is taken away with the old head.
    imagenet : bool
        Whether torchvision has ImageNet weights for it.
    """

    key: str
    label: str
    input_size: int
    head: str
    cam: str
    note: str
    options: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    rectifier: str = ""
    imagenet: bool = True


ARCHITECTURES = MappingProxyType(
    {
        a.key: a
        for a in (
            Architecture(
                key="alexnet",
                label="AlexNet",
                input_size=224,
                head="classifier.6",
                cam="features.11",
                note="in the paper; the fastest on a processor",
            ),
            Architecture(
                key="googlenet",
                label="GoogLeNet",
                input_size=299,
                head="fc",
                cam="inception5b",
                note="in the paper; small and deep",
                # transform_input turns the ImageNet normalisation into the one GoogLeNet was trained with; the
                # auxiliary classifiers are left out, as torchvision does when it loads the ImageNet weights
                options={"aux_logits": False, "transform_input": True, "init_weights": True},
                left_out=("aux1.", "aux2."),
            ),
            Architecture(
                key="resnet18",
                label="ResNet-18",
                input_size=299,
                head="fc",
                cam="layer4",
                note="in the paper; a good first choice",
            ),
            Architecture(
                key="squeezenet1_1",
                label="SqueezeNet 1.1",
                input_size=224,
                head="classifier.1",
                cam="features.12",
                note="the smallest file, 3 MB",
                rectifier="classifier.2",
            ),
            Architecture(
                key="mobilenet_v3_small",
                label="MobileNetV3-Small",
                input_size=224,
                head="classifier.3",
                cam="features.12",
                note="the least arithmetic; made for telephones",
            ),
            Architecture(
                key="efficientnet_b0",
                label="EfficientNet-B0",
                input_size=224,
                head="classifier.1",
                cam="features.8",
                note="accurate for its size",
            ),
            Architecture(
                key="convnext_tiny",
                label="ConvNeXt-Tiny",
                input_size=224,
                head="classifier.2",
                cam="features.7",
                note="the most accurate on ImageNet here, and slow without a GPU",
            ),
            Architecture(
                key="inception_v3",
                label="Inception-v3",
                input_size=299,
                head="fc",
                cam="Mixed_7c",
                note="classified neural stem cells in Zhu et al. (2021)",
                options={"aux_logits": False, "transform_input": True, "init_weights": True},
                left_out=("AuxLogits.",),
            ),
            Architecture(
                key="darknet19",
                label="DarkNet-19",
                input_size=224,
                head="classifier",
                cam="features",
                note="in Zamani et al. (2022); weights from a file, or none",
                imagenet=False,
            ),
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
