"""The registered networks: name, input size, classification layer and layer for Grad-CAM of each.

This module does not import torch, so that pages and the command line need not wait for it. `cfu_core.models.networks`
builds the networks.

References
----------
AlexNet (torchvision implements the variant of the cited report): A. Krizhevsky (2014). One weird trick for
parallelizing convolutional neural networks. arXiv:1404.5997.
GoogLeNet: C. Szegedy et al. (2015). Going Deeper with Convolutions. CVPR.
ResNet-18: K. He, X. Zhang, S. Ren and J. Sun (2016). Deep Residual Learning for Image Recognition. CVPR.
SqueezeNet 1.1: F. N. Iandola et al. (2016). SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB
model size. arXiv:1602.07360.
MobileNetV3-Small: A. Howard et al. (2019). Searching for MobileNetV3. ICCV.
EfficientNet-B0: M. Tan and Q. V. Le (2019). EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks.
ICML.
ConvNeXt-Tiny: Z. Liu et al. (2022). A ConvNet for the 2020s. CVPR.
Inception-v3: C. Szegedy et al. (2016). Rethinking the Inception Architecture for Computer Vision. CVPR.
DarkNet-19: J. Redmon and A. Farhadi (2017). YOLO9000: Better, Faster, Stronger. CVPR.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cfu_core.errors import TrainingError

#: Mean and standard deviation of ImageNet's training images, for each of R, G and B scaled to 0 to 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A classification network.

    torchvision builds it, unless `cfu_core.models.networks.OWN_BUILDERS` has a builder for it.

    Attributes
    ----------
    key : str
        torchvision's name of the network, or our own if torchvision does not provide it; also used on the command line
        and in files.
    label : str
        Name for users.
    input_size : int
        Side of the input in pixels: that of Zamani et al. (2023), or that of the network's own publication.
    head : str
        Dotted name of the classification layer, an `nn.Linear` or an `nn.Conv2d` with a kernel of 1 x 1.
    cam_layer : str
        Dotted name of the module whose output Grad-CAM uses: the one that ends the convolutions before the
        classification layer. The output has height and width.
    note : str
        Reason to choose it, in one line.
    builder_arguments : mapping
        Arguments of its builder, besides ``weights=None``.
    ignored_prefixes : tuple of str
        Beginnings of the names of tensors that are in the file of ImageNet weights but not in the network:
        auxiliary classifiers, which serve only the training on ImageNet.
    rectifier : str
        Dotted name of a ReLU after the head, which is removed together with the old head; empty if there is none.
    has_imagenet_weights : bool
        Whether torchvision provides ImageNet weights for it.
    """

    key: str
    label: str
    input_size: int
    head: str
    cam_layer: str
    note: str
    builder_arguments: Mapping[str, Any] = field(default_factory=dict)
    ignored_prefixes: tuple[str, ...] = ()
    rectifier: str = ""
    has_imagenet_weights: bool = True


ARCHITECTURES = MappingProxyType(
    {
        a.key: a
        for a in (
            Architecture(
                key="alexnet",
                label="AlexNet",
                input_size=224,
                head="classifier.6",
                cam_layer="features.11",
                note="in the paper; the fastest on a CPU",
            ),
            Architecture(
                key="googlenet",
                label="GoogLeNet",
                input_size=299,
                head="fc",
                cam_layer="inception5b",
                note="in the paper; deep, with few parameters",
                # transform_input converts the ImageNet normalisation into the one that GoogLeNet was trained with.
                # There are no auxiliary classifiers: torchvision also removes them when it loads ImageNet weights.
                builder_arguments={"aux_logits": False, "transform_input": True, "init_weights": True},
                ignored_prefixes=("aux1.", "aux2."),
            ),
            Architecture(
                key="resnet18",
                label="ResNet-18",
                input_size=299,
                head="fc",
                cam_layer="layer4",
                note="in the paper; a good first choice",
            ),
            Architecture(
                key="squeezenet1_1",
                label="SqueezeNet 1.1",
                input_size=224,
                head="classifier.1",
                cam_layer="features.12",
                note="the smallest file: 3 MB",
                rectifier="classifier.2",
            ),
            Architecture(
                key="mobilenet_v3_small",
                label="MobileNetV3-Small",
                input_size=224,
                head="classifier.3",
                cam_layer="features.12",
                note="the fewest multiply-adds; designed for mobile phones",
            ),
            Architecture(
                key="efficientnet_b0",
                label="EfficientNet-B0",
                input_size=224,
                head="classifier.1",
                cam_layer="features.8",
                note="high accuracy for its number of parameters",
            ),
            Architecture(
                key="convnext_tiny",
                label="ConvNeXt-Tiny",
                input_size=224,
                head="classifier.2",
                cam_layer="features.7",
                note="the most accurate of these on ImageNet; slow without a GPU",
            ),
            Architecture(
                key="inception_v3",
                label="Inception-v3",
                input_size=299,
                head="fc",
                cam_layer="Mixed_7c",
                note="used for neural stem cells by Zhu et al. (2021)",
                builder_arguments={"aux_logits": False, "transform_input": True, "init_weights": True},
                ignored_prefixes=("AuxLogits.",),
            ),
            Architecture(
                key="darknet19",
                label="DarkNet-19",
                input_size=224,
                head="classifier",
                cam_layer="features",
                note="in Zamani et al. (2022); weights from a file, or random",
                has_imagenet_weights=False,
            ),
        )
    }
)


def architecture(key: str) -> Architecture:
    """Return the registered architecture of a name.

    Parameters
    ----------
    key : str
        One of the keys of `ARCHITECTURES`, such as ``resnet18``.

    Returns
    -------
    Architecture
        Its input size, classification layer and layer for Grad-CAM.

    Raises
    ------
    TrainingError
        No architecture has this name; the message lists the known names.
    """
    try:
        return ARCHITECTURES[key]
    except KeyError:
        raise TrainingError(f"There is no model named {key!r}.", f"Known models: {', '.join(ARCHITECTURES)}.") from None
