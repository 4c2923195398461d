"""The configuration of a training run: frozen, validated, and convertible to and from JSON."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from cfu_core.errors import TrainingError
from cfu_core.imaging.augmentation import Augmentation
from cfu_core.imaging.recipe import Recipe
from cfu_core.models.registry import architecture
from cfu_core.published import zamani_2023
from cfu_core.settings import declare, validate
from cfu_core.wording import plural


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Configuration of the training of one network on one dataset.

    Attributes
    ----------
    dataset : str
        Identifier of the imported dataset.
    architecture : str
        Name of a registered architecture.
    recipe : Recipe
        Preprocessing of the images; its size is the network's input size.
    weights : str
        Initial weights: ``imagenet``, ``none`` for random weights, or the path of a file.
    mode : {"fine-tune", "probe"}
        ``fine-tune`` trains all layers; ``probe`` fits only the last layer, to features of the frozen network.
    epochs : int
        Number of passes over the training images.
    batch_size : int
        Images per step of the optimizer.
    learning_rate : float
        Initial learning rate.
    optimizer : {"adam", "sgd"}
        ``sgd`` has a momentum of 0.9.
    schedule : {"constant", "cosine", "step"}
        How the learning rate changes over the steps; see `rate_at`.
    patience : int
        Number of epochs without a better result on the validation images after which training ends; 0 for never.
    precision : {"fastest", "float32"}
        Arithmetic of the training.
    seed : int
        Seed of random weights, order of images, dropout and augmentation.
    split_seed : int
        Seed of the split of the dataset.
    folds, fold : int
        Number of folds of a cross-validation, and index of the fold that is tested; 0 and 0 for a single split.
    augmentation : Augmentation
        Random transformations of the training images.

    Notes
    -----
    Defaults are those of Zamani et al. (2023) where the paper states them. It does not state the optimizer. Adam is
    the default because it adapts the step size to each parameter, so that the paper's learning rate of 0.0001 works
    within ten epochs both for fine-tuning and from random weights. Stochastic gradient descent with momentum 0.9, the
    default of the toolbox that the paper used, changes a random network very little at that rate.
    """

    dataset: str
    architecture: str
    recipe: Recipe
    weights: str = "imagenet"
    mode: str = declare(
        "fine-tune",
        "What is trained",
        "Fine-tune: all layers, as in the paper. Probe: the network is frozen; its features are extracted once and "
        "only the last layer is fitted to them. Fitting takes seconds and needs no epochs.",
        choices=("fine-tune", "probe"),
    )
    epochs: int = declare(
        zamani_2023.EPOCHS,
        "Epochs",
        "Number of passes over the training images. The paper uses 10.",
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
        "Step size of the optimizer. The paper uses 0.0001.",
        minimum=1e-8,
        maximum=1.0,
    )
    optimizer: str = declare(
        "adam",
        "Optimizer",
        "The paper does not state it. Adam works at the paper's learning rate with ImageNet and with random weights; "
        "SGD with momentum 0.9 is the classical alternative.",
        choices=("adam", "sgd"),
    )
    schedule: str = declare(
        "constant",
        "Learning rate schedule",
        "Constant: as in the paper. Cosine: decreases to zero along half a cosine. Step: divided by ten after two "
        "thirds of the training.",
        choices=("constant", "cosine", "step"),
    )
    patience: int = declare(
        0,
        "Stop early after (epochs)",
        "Ends the training after this number of epochs without a better result on the validation images. 0: never, as "
        "in the paper.",
        minimum=0,
        maximum=1000,
        step=1,
    )
    precision: str = declare(
        "fastest",
        "Precision",
        "fastest: bfloat16 if a short measurement shows that it is faster on this computer, otherwise float32. "
        "float32: always float32.",
        choices=("fastest", "float32"),
    )
    seed: int = declare(
        0,
        "Seed",
        "Seed of random weights, order of images, dropout and augmentation. With the same seed a run gives the same "
        "result on the same processor.",
        minimum=0,
        maximum=2**31 - 1,
        step=1,
    )
    split_seed: int = declare(
        0,
        "Split seed",
        "Seed of the random split into training, validation and test images.",
        minimum=0,
        maximum=2**31 - 1,
        step=1,
    )
    folds: int = declare(
        0,
        "Folds",
        "Number of folds of a cross-validation, each tested once. 0: a single 70 / 15 / 15 split, as in the paper.",
        minimum=0,
        maximum=20,
        step=1,
    )
    fold: int = declare(0, "Fold", "Index of the fold that is tested, from 0.", minimum=0, maximum=19, step=1)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        validate(self, TrainingError)
        if self.folds in (1, 2) or self.fold >= max(self.folds, 1):
            raise TrainingError(
                f"Fold {self.fold} of {self.folds} was requested.",
                "At least 3 folds are needed (one for testing, one for validation), and they are counted from 0.",
            )
        size = architecture(self.architecture).input_size
        if self.recipe.size != size:
            raise TrainingError(
                f"The recipe makes images of {self.recipe.size} pixels.", f"{self.architecture} takes {size}."
            )

    def check_against(self, training_images: int) -> None:
        """Check that a batch is not larger than the training partition.

        Parameters
        ----------
        training_images : int
            Number of images of the training partition.

        Raises
        ------
        TrainingError
            It is larger.
        """
        if self.batch_size > training_images:
            images = plural(training_images, "image")
            raise TrainingError(
                f"The batch size is {self.batch_size}, but the training partition has only {images}.",
                f"A batch can have at most {images}.",
                "Choose a smaller batch size or add images.",
            )

    def rate_at(self, step: int, steps: int) -> float:
        """Return the learning rate of a step of the optimizer.

        Parameters
        ----------
        step : int
            Index of the step, from 0.
        steps : int
            Number of steps of the whole training.
        """
        done = step / steps
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * done)) / 2
        if self.schedule == "step":
            return self.learning_rate * (1.0 if done < 2 / 3 else 0.1)
        return self.learning_rate

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "TrainingConfig":
        """Return the configuration that `to_dict` has converted to JSON values."""
        return cls(
            **{
                **value,
                "recipe": Recipe.from_dict(value["recipe"]),
                "augmentation": Augmentation(**value["augmentation"]),
            }
        )
