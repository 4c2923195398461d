"""The direction of imports, held as a test; the picture is in docs/architecture.md."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cfu_core import PROJECT

CORE = PROJECT / "cfu_core"
PAGES = PROJECT / "pages"

#: From the ground up. A module may import from its own layer and from those below it.
LAYERS = (
    ("errors",),
    ("settings", "storage", "wording", "published", "observer", "processes", "worker_process", "worker_pool"),
    ("job",),
    ("imaging",),
    ("saved_recipes",),
    ("evaluation",),
    ("bundle",),
    ("models",),
    ("dataset",),
    ("training",),
    ("runs",),
    ("reporting",),
    ("exporting",),
    ("jobs",),
    ("cli",),
    ("__main__",),
)
#: Neighbours that must not know each other although one lies lower.
STRANGERS = (("models", "imaging"), ("models", "evaluation"), ("dataset", "evaluation"), ("dataset", "models"))
TORCH_FREE = ("imaging", "bundle", "dataset", "evaluation", "reporting")


def module_name(path: Path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function; names from packages count as modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


CORE_FILES = sorted(CORE.rglob("*.py"))
GRAPH = {module_name(path): imports(path) for path in CORE_FILES}


def layer(module: str) -> int:
    part = module.split(".")[1]
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def packages(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def inner(module: str) -> set[str]:
    """The modules of the core that a module of the core imports."""
    return {name for name in GRAPH[module] if name in GRAPH and name != "cfu_core"}


MODULES = sorted(set(GRAPH) - {"cfu_core"})


@pytest.mark.parametrize("module", MODULES)
def test_the_core_knows_no_streamlit_and_no_pages(module):
    assert not packages(GRAPH[module]) & {"streamlit", "pages", "streamlit_app"}


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[1] in TORCH_FREE])
def test_what_pages_lean_on_knows_no_torch(module):
    assert not packages(GRAPH[module]) & {"torch", "torchvision", "safetensors"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module):
    upward = {name for name in inner(module) if layer(name) > layer(module)}
    assert not upward
    own = module.split(".")[1]
    strange = {name for name in inner(module) if (own, name.split(".")[1]) in STRANGERS}
    assert not strange


def test_no_modules_import_each_other_in_a_circle():
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for name in sorted(inner(module) - {module}):
                visit(name, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_every_part_of_the_core_has_its_layer():
    parts = {path.stem if path.is_file() else path.name for path in CORE.iterdir() if not path.name.startswith("__py")}
    assert parts - {"__init__", "py"} == {part for parts in LAYERS for part in parts}


def test_light_modules_do_not_wait_for_heavy_libraries():
    program = (
        "import sys, cfu_core.jobs.launch, cfu_core.runs.run, cfu_core.training.config\n"
        "import cfu_core.evaluation.paper_tables\n"
        "import cfu_core.cli, cfu_core.models.registry, cfu_core.models.weight_files, cfu_core.reporting.table_files\n"
        "import cfu_core.reporting.pdf\n"
        "print(*sorted({'torch', 'torchvision', 'sklearn', 'skimage', 'streamlit', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# --- the dashboard


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def screens() -> list[Path]:
    return [path for path in sorted(PAGES.rglob("*.py")) if "components" not in path.relative_to(PAGES).parts]


def test_the_router_is_short():
    assert lines(PROJECT / "streamlit_app.py") <= 40


def test_pages_lie_in_a_folder_for_each_section():
    # Streamlit would take files directly in pages/ for pages of their own
    assert list(PAGES.glob("*.py")) == []


def test_a_page_is_at_most_150_lines_long():
    assert {str(path.relative_to(PROJECT)): lines(path) for path in screens() if lines(path) > 150} == {}


def test_a_page_leaves_the_science_to_the_core():
    heavy = {"torch", "torchvision", "safetensors", "sklearn", "scipy", "skimage"}
    knowing = {str(path.relative_to(PROJECT)): packages(imports(path)) & heavy for path in screens()}
    assert {path: names for path, names in knowing.items() if names} == {}


def test_pages_do_not_import_pages():
    screens_by_name = {module_name(path) for path in screens()}
    for path in sorted(PAGES.rglob("*.py")):
        assert not imports(path) & (screens_by_name - {module_name(path)}), path


def test_only_the_router_pages_and_components_know_streamlit():
    tracked = [path for folder in ("cfu_core", "benchmarks") for path in (PROJECT / folder).rglob("*.py")]
    tracked += [path for path in PROJECT.glob("*.py") if path.name != "streamlit_app.py"]
    assert [str(path) for path in tracked if "streamlit" in packages(imports(path))] == []
