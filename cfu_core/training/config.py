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
        Identifier of the imported dataset; its existence is not checked.
    architecture : str
        Name of a registered architecture, such as ``resnet18``.
    recipe : Recipe
        Preprocessing of the images; its size is the network's input size.
    weights : str
        Initial weights: ``imagenet``, ``none`` for random weights, or the path of a file, which is not checked.
    mode : {"fine-tune", "probe"}
        ``fine-tune`` trains all layers; ``probe`` fits only the last layer, to features of the frozen network.
        For a probe, the fields from `epochs` to `precision` and `augmentation` do not affect the result; they are
        checked nevertheless.
    epochs : int (1 to 1000)
        Number of passes over the training images.
    batch_size : int (1 to 4096)
        Number of images per step of the optimizer. The last batch of an epoch may be smaller.
    learning_rate : float (1e-8 to 1)
        Initial learning rate.
    optimizer : {"adam", "sgd"}
        ``adam`` has torch's default moments; ``sgd`` has a momentum of 0.9.
    schedule : {"constant", "cosine", "step"}
        How the learning rate changes over the steps; see `rate_at`.
    patience : int (0 to 1000)
        Number of epochs without a better result on the validation images after which training ends; 0 for never.
    precision : {"fastest", "float32"}
        ``fastest`` uses bfloat16 if a short measurement shows that it is faster on this computer, otherwise float32.
        ``float32`` always uses float32.
    seed : int (0 to 2147483647)
        Seed of random weights, order of images, dropout and augmentation.
    split_seed : int (0 to 2147483647)
        Seed of the split of the dataset into training, validation and test images, or into folds.
    folds, fold : int
        Number of folds of a cross-validation (3 to 20), and index of the fold that is tested, from 0; 0 and 0 for a
        single split.
    augmentation : Augmentation
        Random transformations of the training images.

    Raises
    ------
    TrainingError
        A value is not one of the choices, is outside its range, or is not a whole number where one is needed; `folds`
        is 1 or 2; `fold` is not less than `folds`; no architecture has this name; or the size of the recipe is not the
        input size of the architecture.

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
        "Seed of the random split into training, validation and test images, and of the folds. It does not change "
        "partitions that the source of the images gives.",
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
        """Check that a batch is not larger than the training partition; a probe has no batches.

        Parameters
        ----------
        training_images : int
            Number of images in the training partition.

        Raises
        ------
        TrainingError
            The mode is ``fine-tune``, and the batch size is larger than `training_images`.
        """
        if self.mode != "probe" and self.batch_size > training_images:
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
            Index of the step, from 0 to `steps` - 1.
        steps : int
            Number of steps of all epochs together, at least 1.

        Returns
        -------
        float
            With the schedule ``constant``: `learning_rate`. ``cosine``:
            ``learning_rate * (1 + cos(pi * step / steps)) / 2``. ``step``: `learning_rate` for the first two thirds of
            the steps, then a tenth of it.

        References
        ----------
        I. Loshchilov and F. Hutter (2017). SGDR: Stochastic Gradient Descent with Warm Restarts. ICLR. The schedule
        ``cosine``, here without restarts.
        """
        done = step / steps
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * done)) / 2
        if self.schedule == "step":
            return self.learning_rate * (1.0 if done < 2 / 3 else 0.1)
        return self.learning_rate

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON values; recipe and augmentation are dicts. `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "TrainingConfig":
        """Rebuild a configuration from the output of `to_dict`.

        Parameters
        ----------
        value : dict
            Fields by name. ``dataset``, ``architecture``, ``recipe`` and ``augmentation`` are required; other fields
            that are missing have their defaults.

        Returns
        -------
        TrainingConfig
            Equal to the one from which `to_dict` was called.

        Raises
        ------
        TrainingError
            A value is not allowed.
        RecipeError
            The recipe has an unknown setting, or a value that is not allowed.
        KeyError
            ``recipe`` or ``augmentation`` is missing.
        TypeError
            ``dataset`` or ``architecture`` is missing, or a key is unknown.
        """
        return cls(
            **{
                **value,
                "recipe": Recipe.from_dict(value["recipe"]),
                "augmentation": Augmentation(**value["augmentation"]),
            }
        )
