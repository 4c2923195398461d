"""Everything that decides how a run goes, in one frozen, validated value that is JSON both ways."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from cfu_core.errors import TrainingError
from cfu_core.imaging.augmentation import Augmentation
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import architecture
from cfu_core.published import zamani_2023
from cfu_core.settings import declare, validate


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How one network is trained on one dataset.

    Defaults are those of Zamani et al. (2023) where the paper states them. It does not state the optimizer. Adam
    is the default because it adapts the step to each parameter, so that the paper's rate of 0.0001 works both for
    fine-tuning and from random weights within ten epochs; stochastic gradient descent with momentum 0.9, the
    default of the toolbox that the paper used, hardly moves a random network at that rate.

    Parameters
    ----------
    dataset : str
        Identifier of the imported dataset.
    architecture : str
        Name of a registered architecture.
    recipe : Recipe
        How images are preprocessed; its size is the network's input size.
    weights : str
        ``imagenet``, ``none`` or the path of a file.
    split_seed : int
        Which split of the dataset; `seed` is for weights, order, dropout and augmentation.
    """

    dataset: str
    architecture: str
    recipe: Recipe
    weights: str = "imagenet"
    mode: str = declare(
        "fine-tune",
        "What learns",
        "Fine-tune: all layers, as in the paper. Probe: the last layer alone, from what the network as it is makes of "
        "the images. That takes seconds once each image has gone through the network, and needs no epochs.",
        choices=("fine-tune", "probe"),
    )
    epochs: int = declare(
        zamani_2023.EPOCHS,
        "Epochs",
        "How often the network sees every training image. The paper trains for 10.",
        minimum=1,
        maximum=1000,
        step=1,
    )
    batch_size: int = declare(
        zamani_2023.BATCH_SIZE,
        "Batch size",
        "Images per step of the optimizer. The paper uses 15.",
        minimum=1,
        maximum=4096,
        step=1,
    )
    learning_rate: float = declare(
        zamani_2023.LEARNING_RATE,
        "Learning rate",
        "Size of a step of the optimizer. The paper uses 0.0001.",
        minimum=1e-8,
        maximum=1.0,
    )
    optimizer: str = declare(
        "adam",
        "Optimizer",
        "The paper does not state it. Adam works at the paper's learning rate from ImageNet's and from random "
        "weights; SGD with momentum 0.9 is the classical alternative.",
        choices=("adam", "sgd"),
    )
    schedule: str = declare(
        "constant",
        "Learning rate over time",
        "Constant: as in the paper. Cosine: falls to zero along half a cosine. Step: a tenth after two thirds.",
        choices=("constant", "cosine", "step"),
    )
    patience: int = declare(
        0,
        "Stop early after",
        "Ends the training after so many epochs without a better one on the validation images. 0: never, as in the "
        "paper.",
        minimum=0,
        maximum=1000,
        step=1,
    )
    precision: str = declare(
        "fastest",
        "Precision",
        "Fastest: bfloat16 where a short measurement shows that this computer is faster with it, else float32. "
        "float32: always.",
        choices=("fastest", "float32"),
    )
    seed: int = declare(
        0, "Seed", "The same seed repeats the run on the same processor.", minimum=0, maximum=2**31 - 1, step=1
    )
    split_seed: int = declare(
        0,
        "Split seed",
        "Which random split into training, validation and test.",
        minimum=0,
        maximum=2**31 - 1,
        step=1,
    )
    folds: int = declare(
        0,
        "Folds",
        "Cross-validation in so many folds, each tested once; 0: one split into 70 / 15 / 15, as in the paper.",
        minimum=0,
        maximum=20,
        step=1,
    )
    fold: int = declare(0, "Fold", "Which fold is tested, from 0.", minimum=0, maximum=19, step=1)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        validate(self, TrainingError)
        if self.folds in (1, 2) or self.fold >= max(self.folds, 1):
            raise TrainingError(
                f"Fold {self.fold} of {self.folds} was asked for.",
                "There must be at least 3 folds (one tests, one validates), and they are counted from 0.",
            )
        size = architecture(self.architecture).input_size
        if self.recipe.size != size:
            raise TrainingError(
                f"The recipe makes images of {self.recipe.size} pixels.", f"{self.architecture} takes {size}."
            )

    def check_against(self, training_images: int) -> None:
        """Refuse a batch that is larger than the training partition.

        Raises
        ------
        TrainingError
        """
        if self.batch_size > training_images:
            raise TrainingError(
                f"The batch size is {self.batch_size}, but the training partition has only {training_images} images.",
                f"A batch can have at most {training_images} images.",
                "Choose a smaller batch size or add images.",
            )

    def rate_at(self, step: int, steps: int) -> float:
        """The learning rate of a step of the optimizer, counted from 0, of so many."""
        done = step / steps
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * done)) / 2
        if self.schedule == "step":
            return self.learning_rate * (1.0 if done < 2 / 3 else 0.1)
        return self.learning_rate

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "TrainingConfig":
        """The configuration that `to_dict` described."""
        return cls(
            **{
                **value,
                "recipe": Recipe.from_dict(value["recipe"]),
                "augmentation": Augmentation(**value["augmentation"]),
            }
        )
