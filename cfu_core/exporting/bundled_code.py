"""Copy of this program's code in a bundle, so that the bundle decodes and preprocesses images like the dashboard."""

import ast
import shutil
from pathlib import Path

from cfu_core import PROJECT

ENTRY_MODULE = "cfu_core.bundle.command_line"


def copy_code(folder: Path) -> None:
    """Copy the modules that ``use.py`` of a bundle needs into a folder, with their path below it (``cfu_core/...``).

    The folder is created if missing; existing files are replaced.

    Raises
    ------
    OSError
        The disk is full, or the folder is not writable.
    """
    for path in required_files():
        target = folder / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def required_files() -> list[Path]:
    """Return the files of this program that ``use.py`` of a bundle needs.

    Returns
    -------
    list of Path
        Absolute paths, sorted: of `ENTRY_MODULE`, of all modules of this program that it imports directly or indirectly
        (imports inside functions included), and of the ``__init__.py`` of their packages.
    """
    found: set[Path] = set()
    waiting = [ENTRY_MODULE]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or path in found:
            continue
        found.add(path)
        waiting += [name.rpartition(".")[0], *_imported(path)]
    return sorted(found)


def _file(module: str) -> Path | None:
    """Return the file of a module of this program; None for other names."""
    if module.partition(".")[0] != "cfu_core":
        return None
    path_without_suffix = PROJECT.joinpath(*module.split("."))
    return next(
        (
            path
            for path in (path_without_suffix.with_suffix(".py"), path_without_suffix / "__init__.py")
            if path.is_file()
        ),
        None,
    )


def _imported(path: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
