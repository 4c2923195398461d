"""Protocol and results of the study that this project implements.

Every value is copied from the paper as printed, except that times are converted to seconds; nothing is corrected. The
remarks are by this project.

References
----------
Zamani et al. (2023), "Deep Learning for an Automated Image-Based Stem Cell Classification".
"""

from dataclasses import dataclass
from types import MappingProxyType

CLASS_TOTALS = MappingProxyType({"CFU-E": 208, "CFU-GM": 396, "CFU-PreB": 124})

#: Table 2. The paper calls the test partition "classification".
TABLE_2 = MappingProxyType(
    {
        "CFU-E": MappingProxyType({"training": 146, "validation": 31, "test": 31}),
        "CFU-GM": MappingProxyType({"training": 277, "validation": 60, "test": 59}),
        "CFU-PreB": MappingProxyType({"training": 87, "validation": 18, "test": 19}),
    }
)

EPOCHS = 10
BATCH_SIZE = 15
LEARNING_RATE = 1e-4


@dataclass(frozen=True, kw_only=True)
class PublishedArchitecture:
    """One row of Table 1: size of a network.

    Attributes
    ----------
    layers : int
        Depth of the network, as printed.
    parameters_millions : float
        Number of parameters in millions, as printed.
    input_size : int
        Side of the square input in pixels.
    """

    layers: int
    parameters_millions: float
    input_size: int


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """Results of one architecture on one kind of images, from Tables 3 and 4.

    Attributes
    ----------
    seconds : int
        Training time in seconds; Table 3 gives it in minutes and seconds.
    precision, accuracy : float (0 to 1)
        As printed in Table 4. The paper does not state how the precision is averaged over the classes.
    """

    seconds: int
    precision: float
    accuracy: float


#: Table 1, with the input size that the text gives.
TABLE_1 = MappingProxyType(
    {
        "alexnet": PublishedArchitecture(layers=8, parameters_millions=60, input_size=224),
        "googlenet": PublishedArchitecture(layers=22, parameters_millions=5, input_size=299),
        "resnet18": PublishedArchitecture(layers=18, parameters_millions=12, input_size=299),
    }
)


def _minutes(minutes: int, seconds: int) -> int:
    return 60 * minutes + seconds


#: Tables 3 and 4 by (architecture, images).
RESULTS = MappingProxyType(
    {
        ("alexnet", "original"): PublishedResult(seconds=_minutes(165, 36), precision=0.8899, accuracy=0.8716),
        ("alexnet", "preprocessed"): PublishedResult(seconds=_minutes(61, 37), precision=0.9174, accuracy=0.9633),
        ("googlenet", "original"): PublishedResult(seconds=_minutes(178, 17), precision=0.9266, accuracy=0.9174),
        ("googlenet", "preprocessed"): PublishedResult(seconds=_minutes(96, 30), precision=0.8991, accuracy=0.9083),
        ("resnet18", "original"): PublishedResult(seconds=_minutes(177, 2), precision=0.9358, accuracy=0.9266),
        ("resnet18", "preprocessed"): PublishedResult(seconds=_minutes(79, 40), precision=0.9450, accuracy=0.9358),
    }
)

#: Notes on the published tables, displayed below Tables 4, 1 and 3, in this order.
REMARKS = (
    "Each of the twelve values of Table 4 is a whole number of images out of the 109 test images, "
    "which a macro-averaged precision would not be: the printed “precision” is probably micro-averaged, "
    "or the accuracy on the 109 validation images.",
    "The paper does not state the optimizer, the CLAHE settings, or the size of its images in pixels.",
    "CLAHE does not change the number of arithmetic operations of an epoch, so it cannot by itself shorten "
    "training; the published times probably include decoding and shrinking large files in every epoch.",
)
