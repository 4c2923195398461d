"""Command line options of training, derived from the declarations of the settings."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cfu_core.cli.terminal import add_json_option
from cfu_core.errors import TrainingError
from cfu_core.settings import check_value, setting

#: Settings that have an option of the same name.
OPTIONS = ("mode", "epochs", "batch_size", "learning_rate", "optimizer", "schedule", "patience", "precision", "seed")
RECIPE_HELP = "preprocess with a saved recipe: its name (or saved:NAME), or a JSON file"


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--weights``, ``--json`` and an option for each setting in `OPTIONS` to the parser of a subcommand.

    The option of ``batch_size`` is ``--batch-size``. A value that is not allowed raises `TrainingError` during parsing.
    A setting whose option is not given is None, ``weights`` is then ``imagenet``, and ``json`` is False.
    """
    from cfu_core.training.config import TrainingConfig

    parser.add_argument(
        "--weights", default="imagenet", help="initial weights: imagenet, none (random) or a file (default: imagenet)"
    )
    for name in OPTIONS:
        declared, default = setting(TrainingConfig, name), TrainingConfig.__dataclass_fields__[name].default
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=_parser_of(TrainingConfig, name),
            metavar="|".join(declared.choices) or type(default).__name__.upper(),
            help=f"{declared.help.replace('%', '%%')} Default: {default}."
            + (" The split uses the same seed." if name == "seed" else ""),
        )
    add_json_option(parser)


def _parser_of(owner: type, name: str) -> Callable[[str], Any]:
    """Return a function that converts the text of an option to a value of a declared setting."""
    declared, kind = setting(owner, name), type(owner.__dataclass_fields__[name].default)  # type: ignore[attr-defined]

    def parse(text: str) -> Any:
        try:
            value: Any = kind(text)
        except ValueError:
            value = text  # check_value raises an error with the allowed values
        check_value(value, declared, kind, TrainingError)
        return value

    return parse


def training_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a `TrainingConfig` that were given as options.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed options of a subcommand with `add_training_options`.

    Returns
    -------
    dict
        ``weights`` (``imagenet``, ``none``, or a file as an absolute path, because training may run in another working
        directory), and each other field that was given. With ``seed``, ``split_seed`` is set to the same value. It is
        not checked whether the file exists.
    """
    from cfu_core.models.weight_files import IMAGENET, NONE

    given = {name: value for name in OPTIONS if (value := getattr(arguments, name)) is not None}
    if "seed" in given:
        given["split_seed"] = given["seed"]
    weights = arguments.weights
    if weights not in (IMAGENET, NONE):
        weights = str(Path(weights).absolute())  # the process that trains may have another working directory
    return {"weights": weights, **given}
