"""The house: which folder may import which, asserted by walking every import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("portal", "scenarios", "loadtests", "reports", "benchmarks", "tests")
CORE = (
    "breach",
    "duration",
    "effective",
    "errors",
    "gate",
    "header",
    "histogram",
    "interval",
    "mishap",
    "objective",
    "plan",
    "run",
    "sample",
    "series",
    "targetaccount",
    "verdict",
)
"""The core types of ``loadtests``: what ``reports`` may know."""

MAY_IMPORT = {
    "portal": set(),
    "scenarios": {"loadtests"},
    "loadtests": set(),
    "reports": {f"loadtests.{name}" for name in CORE},
}


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield f"{node.module}"


def files(folder: str) -> list[Path]:
    """The Python files of a folder; there is at least one."""
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def allowed(folder: str, path: Path, name: str) -> bool:
    """Whether a file of a folder may import one of our modules."""
    top = name.split(".")[0]
    if top == folder or (folder == "loadtests" and path.name == "cli.py" and top == "reports"):
        return True
    return any(name == may or name.startswith(f"{may}.") for may in MAY_IMPORT[folder])


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_folders_import_only_what_they_may(folder: str) -> None:
    """Every import of ours is one that the table in docs/architecture.md grants."""
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files(folder)
        for name in imports(path)
        if name.split(".")[0] in OURS and not allowed(folder, path, name)
    ]
    assert wrong == []


def reached(module: str) -> set[str]:
    """Everything that a module of ours imports, through modules of ours, before anything runs."""
    seen: set[str] = set()
    line = [module]
    while line:
        name = line.pop()
        if name in seen:
            continue
        seen.add(name)
        path = ROOT / (name.replace(".", "/") + ".py")
        if path.exists():
            line += imports(path)
    return {name.split(".")[0] for name in seen}


def test_orchestrator_is_free_of_locust_and_aiohttp() -> None:
    """Locust monkey-patches as it is imported: the orchestrator and the swarm never meet it, nor it asyncio clients."""
    orchestrator = reached("loadtests.orchestrator")
    assert not {"locust", "gevent", "aiohttp"} & orchestrator
    assert not {"locust", "gevent"} & reached("loadtests.swarmprocess")
    locust = reached("loadtests.locustprocess")
    assert "locust" in locust
    assert not {"aiohttp", "asyncio", "uvloop"} & locust


def test_one_module_imports_hdrhistogram() -> None:
    """The package's faults are put right in one place."""
    assert [p.name for p in files("loadtests") if any(n.split(".")[0] == "hdrh" for n in imports(p))] == [
        "histogram.py"
    ]


def test_no_cycles() -> None:
    """Modules of loadtests import each other in one direction."""
    graph = {
        f"loadtests.{p.stem}": {n for n in imports(p) if n.startswith("loadtests.")}
        for p in files("loadtests")
        if p.stem not in ("__init__", "__main__")
    }
    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"a cycle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


@pytest.mark.parametrize("folder", ["loadtests", "reports", "portal"])
def test_files_stay_small(folder: str) -> None:
    """A file is a noun; one that needs more than 250 lines is two."""
    long = {p.name: n for p in files(folder) if (n := len(p.read_text(encoding="utf-8").splitlines())) > 250}
    assert long == {}


@pytest.mark.parametrize("folder", ["loadtests", "reports", "portal"])
def test_no_rooms_without_a_name(folder: str) -> None:
    """No utils, helpers, managers or common."""
    assert not [p for p in files(folder) if p.stem in ("utils", "util", "helpers", "manager", "common", "misc")]


def test_exported_names_exist_and_are_sorted() -> None:
    """Each module's ``__all__`` names what it defines, in order."""
    for path in files("loadtests") + files("reports"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and target.id == "__all__":
                names = ast.literal_eval(node.value)  # type: ignore[attr-defined]
                defined = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} | {
                    n.name
                    for n in ast.walk(tree)
                    if isinstance(n, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                }
                imported = {
                    a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names
                }
                assert set(names) <= defined | imported, path


def test_every_third_party_import_is_declared() -> None:
    """Nothing that the wheel imports is missing from its dependencies."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8").lower()
    names = {"hdrh": "hdrhistogram", "jwt": "pyjwt", "argon2": "argon2-cffi"}
    for folder in ("loadtests", "reports", "portal"):
        for path in files(folder):
            for name in imports(path):
                top = name.split(".")[0]
                if top not in OURS and top not in sys.stdlib_module_names:
                    assert f'"{names.get(top, top).replace("_", "-")}' in text, f"{path.name} imports {top}"
