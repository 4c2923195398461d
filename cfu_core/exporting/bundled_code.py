"""The program's own preprocessing, as it travels in a bundle: there is one way in, also elsewhere."""

import ast
import shutil
from pathlib import Path

from cfu_core import PROJECT

FIRST = "cfu_core.bundle.command_line"


def copy_code(folder: Path) -> None:
    """Copy the modules that a bundle's ``use.py`` needs into `folder`."""
    for path in needed():
        target = folder / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def needed() -> list[Path]:
    """The files of `FIRST` and of all that it imports from this program, with their packages."""
    found: set[Path] = set()
    waiting = [FIRST]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or path in found:
            continue
        found.add(path)
        waiting += [name.rpartition(".")[0], *_imported(path)]
    return sorted(found)


def _file(module: str) -> Path | None:
    """Where a module of this program lies; None for names that are none."""
    if module.partition(".")[0] != "cfu_core":
        return None
    place = PROJECT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imported(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
