"""Declarations of settings, from which their widgets, validation, JSON and documentation are derived."""

from dataclasses import dataclass, field, fields
from typing import Any

from cfu_core.errors import CfuError
from cfu_core.wording import plural

MAX_NAME_LENGTH = 60  # characters of the name of something that a user saves


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The declaration of a setting.

    Attributes
    ----------
    label : str
        Name.
    help : str
        Explanation.
    minimum, maximum : float or None
        Allowed range, both limits included; None if the setting is not a number.
    step : float or None
        Of the widget.
    choices : tuple of str
        Allowed values; empty if the setting is not a choice.
    """

    label: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()


def declare(default: Any, label: str, explanation: str, **limits: Any) -> Any:
    """Return a dataclass field with a default and a `Setting` in its metadata.

    Parameters
    ----------
    default : object
        Its type also determines whether a number must be whole.
    label, explanation : str
        `Setting.label` and `Setting.help`.
    **limits
        Other fields of `Setting`.

    Returns
    -------
    dataclasses.Field
    """
    return field(default=default, metadata={"setting": Setting(label=label, help=explanation, **limits)})


def setting(owner: type, name: str) -> Setting:
    """Return the declaration of the field `name` of the dataclass `owner`."""
    return next(f.metadata["setting"] for f in fields(owner) if f.name == name)


def validate(instance: Any, error: type[CfuError]) -> None:
    """Check the declared fields of a dataclass instance.

    Parameters
    ----------
    instance : object
        An instance of a dataclass with fields from `declare`.
    error : type
        The subclass of `CfuError` to raise.

    Raises
    ------
    CfuError
        A value is not allowed. The error has the type `error`.
    """
    for f in fields(instance):
        declared: Setting | None = f.metadata.get("setting")
        if declared is not None:
            check_value(getattr(instance, f.name), declared, type(f.default), error)


def validate_name(name: str, *, of: str, error: type[CfuError]) -> str:
    """Check the name under which a user saves something.

    Parameters
    ----------
    name : str
    of : str
        What is saved, for the message: ``recipe``.
    error : type
        The subclass of `CfuError` to raise.

    Returns
    -------
    str
        The name without spaces around it.

    Raises
    ------
    CfuError
        The name is empty or longer than `MAX_NAME_LENGTH`. The error has the type `error`.
    """
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise error(
            f"The name of the {of} has {plural(len(name), 'character')}.",
            f"It must have 1 to {MAX_NAME_LENGTH}.",
            "Choose another name.",
        )
    return name


def check_value(value: Any, declared: Setting, kind: type, error: type[CfuError]) -> None:
    """Check the value of one setting.

    Parameters
    ----------
    value : object
    declared : Setting
    kind : type
        int if a number must be whole.
    error : type
        The subclass of `CfuError` to raise.

    Raises
    ------
    CfuError
        The value is not allowed. The error has the type `error`.
    """
    if declared.choices and value not in declared.choices:
        raise error(f"{declared.label} is {value!r}.", f"It must be one of: {', '.join(declared.choices)}.")
    if declared.minimum is None or declared.maximum is None:
        return
    expected = "a whole number" if kind is int else "a number"
    limits = f"It must be {expected} from {declared.minimum:g} to {declared.maximum:g}."
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and not isinstance(value, int)):
        raise error(f"{declared.label} is {value!r}.", limits)
    if not declared.minimum <= value <= declared.maximum:  # also refuses NaN
        raise error(f"{declared.label} is {value}.", limits)
