"""A setting is declared once: the widget, the validate, the JSON and the documentation come from its declaration."""

from dataclasses import dataclass, field, fields
from typing import Any

from cfu_core.errors import CfuError


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a person needs to know of a setting, and what it may be."""

    label: str
    help: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()


def declare(default: Any, label: str, explanation: str, **limits: Any) -> Any:
    """A dataclass field that carries its `Setting`."""
    return field(default=default, metadata={"setting": Setting(label=label, help=explanation, **limits)})


def setting(owner: type, name: str) -> Setting:
    """The declaration of field `name` of the dataclass `owner`."""
    return next(f.metadata["setting"] for f in fields(owner) if f.name == name)


def validate(instance: Any, error: type[CfuError]) -> None:
    """Hold every declared field of a dataclass instance against its declaration.

    Raises
    ------
    CfuError
        Of the type `error`: names the setting, its value and what it may be.
    """
    for f in fields(instance):
        declared: Setting | None = f.metadata.get("setting")
        if declared is not None:
            _check_value(getattr(instance, f.name), declared, type(f.default), error)


def _check_value(value: Any, declared: Setting, kind: type, error: type[CfuError]) -> None:
    if declared.choices and value not in declared.choices:
        raise error(f"{declared.label} is {value!r}.", f"It must be one of: {', '.join(declared.choices)}.")
    if declared.minimum is None or declared.maximum is None:
        return
    wanted = "a whole number" if kind is int else "a number"
    limits = f"It must be {wanted} from {declared.minimum:g} to {declared.maximum:g}."
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and not isinstance(value, int)):
        raise error(f"{declared.label} is {value!r}.", limits)
    if not declared.minimum <= value <= declared.maximum:  # NaN is within no limits
        raise error(f"{declared.label} is {value}.", limits)
