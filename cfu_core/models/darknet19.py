"""DarkNet-19, which torchvision lacks.

Written from Redmon & Farhadi (2017), "YOLO9000: Better, Faster, Stronger", Table 6: nineteen convolutions, five
maximum poolings, batch normalisation and a leaky rectifier (slope 0.1) after every convolution but the last, and a
mean over the image at the end.
"""

import torch
from torch import nn

#: A row of the table each: channels of its convolutions; odd places are 3 x 3, even ones 1 x 1. Poolings lie between.
STAGES = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512), (1024, 512, 1024, 512, 1024))


class DarkNet19(nn.Module):
    """The classification network.

    Parameters
    ----------
    weights : None
        There are none to download.
    num_classes : int
    """

    def __init__(self, *, weights: None = None, num_classes: int = 1000) -> None:
        super().__init__()
        if weights is not None:
            raise ValueError("DarkNet-19 has no weights of torchvision's")
        layers: list[nn.Module] = []
        channels = 3
        for number, stage in enumerate(STAGES):
            if number:
                layers.append(nn.MaxPool2d(2, 2))
            for place, wanted in enumerate(stage):
                layers.append(_convolution(channels, wanted, 1 if place % 2 else 3))
                channels = wanted
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(channels, num_classes, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (B, num_classes) of images (B, 3, S, S)."""
        return torch.flatten(self.pool(self.classifier(self.features(x))), 1)


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, a=0.1, mode="fan_out", nonlinearity="leaky_relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True))
