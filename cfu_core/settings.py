"""Declarations of settings: each defines the widget, the validation, the command line option and the help text."""

from dataclasses import dataclass, field, fields
from typing import Any

from cfu_core.errors import CfuError
from cfu_core.wording import plural

MAX_NAME_LENGTH = 60  # characters of the name of something that a user saves


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The declaration of a setting: its label, its explanation and the allowed values.

    Attributes
    ----------
    label : str
        Name for users, in labels of widgets and in error messages.
    help : str
        Explanation for users.
    minimum, maximum : float or None
        Allowed range, both limits included. A number is checked only if both are given. Both are None if the setting
        is not a number.
    step : float or None
        Difference between two values that follow each other in the widget; None for the widget's default.
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
        Default of the field. If it is an int, `validate` accepts only whole numbers.
    label, explanation : str
        `Setting.label` and `Setting.help`.
    **limits
        Other fields of `Setting`: ``minimum``, ``maximum``, ``step``, ``choices``.

    Returns
    -------
    dataclasses.Field
        To be assigned to a field in the body of a dataclass.
    """
    return field(default=default, metadata={"setting": Setting(label=label, help=explanation, **limits)})


def setting(owner: type, name: str) -> Setting:
    """Return the declaration of a field of a dataclass.

    Parameters
    ----------
    owner : type
        Dataclass that has the field.
    name : str
        Name of a field that was made with `declare`.
    """
    return next(f.metadata["setting"] for f in fields(owner) if f.name == name)


def validate(instance: Any, error: type[CfuError]) -> None:
    """Check the declared fields of a dataclass instance with `check_value`.

    Parameters
    ----------
    instance : object
        An instance of a dataclass. Its fields without a declaration are not checked.
    error : type
        The subclass of `CfuError` to raise.

    Raises
    ------
    CfuError
        A value is not one of the choices, not in the allowed range, or not a number where one is needed. The error has
        the type `error`.
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
        Name as the user entered it.
    of : str
        Noun for what is saved, for the message: ``recipe``.
    error : type
        The subclass of `CfuError` to raise.

    Returns
    -------
    str
        The name without white space around it.

    Raises
    ------
    CfuError
        The name is empty or longer than `MAX_NAME_LENGTH`, without the white space. The error has the type `error`.
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
        Value to check.
    declared : Setting
        Declaration with the choices or the limits.
    kind : type
        int if a number must be whole; any other type allows fractions.
    error : type
        The subclass of `CfuError` to raise.

    Raises
    ------
    CfuError
        The value is not one of the choices, not in the allowed range (NaN never is), or not a number where one is
        needed. A bool is not a number, and neither is an integer of NumPy. The error has the type `error`.
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
