"""DarkNet-19, which torchvision does not provide.

The network has nineteen convolutions and five max-pooling layers. Batch normalisation and a leaky ReLU (slope 0.1)
follow every convolution but the last. The last convolution gives one map per class, and its mean over the image is the
logit.
"""

import torch
from torch import nn

#: Output channels of the convolutions of each stage: kernels alternate between 3 x 3 and 1 x 1, beginning with 3 x 3.
#: A max-pooling layer separates the stages.
STAGES = ((32,), (64,), (128, 64, 128), (256, 128, 256), (512, 256, 512, 256, 512), (1024, 512, 1024, 512, 1024))


class DarkNet19(nn.Module):
    """The DarkNet-19 classification network.

    Parameters
    ----------
    weights : None
        Must be None: no pretrained weights can be downloaded.
    num_classes : int
        Number of outputs.

    Attributes
    ----------
    features : Sequential
        The first eighteen convolutions, and the max-pooling layers.
    classifier : Conv2d
        The last convolution, with a kernel of 1 x 1.
    pool : AdaptiveAvgPool2d
        The mean of each map over the image.

    Raises
    ------
    ValueError
        `weights` is not None.

    References
    ----------
    J. Redmon and A. Farhadi (2017). YOLO9000: Better, Faster, Stronger. CVPR. Table 6.
    """

    def __init__(self, *, weights: None = None, num_classes: int = 1000) -> None:
        super().__init__()
        if weights is not None:
            raise ValueError("torchvision has no weights for DarkNet-19")
        layers: list[nn.Module] = []
        channels = 3
        for number, stage in enumerate(STAGES):
            if number:
                layers.append(nn.MaxPool2d(2, 2))
            for position, outputs in enumerate(stage):
                layers.append(_convolution(channels, outputs, 1 if position % 2 else 3))
                channels = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Conv2d(channels, num_classes, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the logits.

        Parameters
        ----------
        x : Tensor of float32, shape (B, 3, S, S)
            Normalised images with a side of at least 32 pixels, because the pooling layers divide the side by 32.

        Returns
        -------
        Tensor of float32, shape (B, num_classes)
            Means of the maps of the last convolution.
        """
        return torch.flatten(self.pool(self.classifier(self.features(x))), 1)


def _convolution(inputs: int, outputs: int, size: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, a=0.1, mode="fan_out", nonlinearity="leaky_relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True))
