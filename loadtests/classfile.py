"""User and member classes by reference: ``users.py:Browser`` beside the scenario, or ``package.module:Class``.

A reference can be checked without running a line of the file, and so without Locust's patching of the process that
checks it; loading is for the process that puts the load on.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from loadtests.errors import ScenarioError
from loadtests.mistake import did_you_mean

__all__ = ["attributes", "bases", "check_class", "class_names", "find_module", "load_class"]

_EXPECTED = 'expected "users.py:Class" or "package.module:Class"'


def load_class(reference: str, folder: Path) -> type:
    """Import the class that a scenario in ``folder`` refers to; the same class object every time in one process.

    ``folder`` is put first on ``sys.path``, so that the file can ``import common`` from beside it.

    Raises:
        ScenarioError: when the file, module or class is missing, or importing it fails.

    """
    module_name, class_name, path = _parts(reference, folder)
    place = str((path.parent if path else folder).resolve())
    if place not in sys.path:
        sys.path.insert(0, place)
    if path:
        _require_file(path)
    elif find_module(module_name, folder) is None:
        raise ScenarioError(f'module "{module_name}" is not found')
    try:
        module = _module_of(path) if path else importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise ScenarioError(f"{_blame(error, path)}: {_said(error)}") from error
    found = getattr(module, class_name, None)
    if isinstance(found, type):
        return found
    where = path or module_name
    if found is not None:
        raise ScenarioError(f'{where}: "{class_name}" is no class')
    own = (value for value in vars(module).values() if isinstance(value, type) and value.__module__ == module.__name__)
    raise ScenarioError(f'{where}: no class "{class_name}"{did_you_mean(class_name, {each.__name__ for each in own})}')


def check_class(reference: str, folder: Path) -> None:
    """Check a reference by reading the file, not running it.

    Raises:
        ScenarioError: when the file or module is missing, is not Python, or holds no such name.

    """
    module_name, class_name, path = _parts(reference, folder)
    if path is None:
        spec = find_module(module_name, folder)
        if spec is None:
            raise ScenarioError(f'module "{module_name}" is not found')
        if not spec.origin or not spec.origin.endswith(".py"):
            return  # compiled, or a namespace: only importing can tell
        path = Path(spec.origin)
    _require_file(path)
    tree = _tree(path)
    classes = [node.name for node in _top_level(tree) if isinstance(node, ast.ClassDef)]
    if class_name not in classes and class_name not in (other := _other_names(tree)) and "*" not in other:
        raise ScenarioError(f'{path}: no class "{class_name}"{did_you_mean(class_name, classes)}')


def bases(reference: str, folder: Path) -> set[str]:
    """What a class derives from of Locust's and ours, such as ``loadtests.member.Member``, as far as its file tells.

    Nothing is run. What another file of the author's gives it is not known.

    Raises:
        ScenarioError: when the file is missing or is not Python.

    """
    names, family = _family(reference, folder)
    found = {names.get(base, base) for node in family for base in map(ast.unparse, node.bases)}
    return {name for name in found if name.startswith(("locust.", "loadtests."))}


def attributes(reference: str, folder: Path) -> dict[str, str]:
    """Names that a class and those of its file that it derives from assign, but for None; each with whose it is.

    Raises:
        ScenarioError: when the file is missing or is not Python.

    """
    found: dict[str, str] = {}
    for node in _family(reference, folder)[1]:
        for each in node.body:
            if isinstance(each, ast.Assign | ast.AnnAssign) and each.value and ast.unparse(each.value) != "None":
                targets = each.targets if isinstance(each, ast.Assign) else [each.target]
                found = {ast.unparse(target): node.name for target in targets} | found
    return found


def _family(reference: str, folder: Path) -> tuple[dict[str, str], list[ast.ClassDef]]:
    """What a class's file imports, by the names it has there; and the class with those of the file it derives from."""
    _, class_name, path = _parts(reference, folder)
    if path is None:
        return {}, []
    _require_file(path)
    names: dict[str, str] = {}
    classes: dict[str, ast.ClassDef] = {}
    for node in _top_level(_tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            classes[node.name] = node
    family, left = [], [class_name]
    while left:
        if cls := classes.pop(left.pop(), None):  # a class that has no end is no Python either
            family.append(cls)
            left += map(ast.unparse, cls.bases)
    return names, family


def class_names(path: Path) -> list[str]:
    """Names of the classes defined at the top level of a Python file, in order, without running it.

    Raises:
        ScenarioError: when the file cannot be read or is not Python, with the line.

    """
    return [node.name for node in _top_level(_tree(path)) if isinstance(node, ast.ClassDef)]


def find_module(name: str, folder: Path) -> ModuleSpec | None:
    """Where a module would be imported from, found without importing it or any package around it."""
    path: list[str] | None = [str(folder), *sys.path]
    spec: ModuleSpec | None = None
    steps = name.split(".")
    for depth in range(1, len(steps) + 1):
        if not path:
            return None
        spec = PathFinder.find_spec(".".join(steps[:depth]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return spec


def _parts(reference: str, folder: Path) -> tuple[str, str, Path | None]:
    """Module, class, and the file when the reference names one."""
    module, colon, name = (part.strip() for part in reference.rpartition(":"))
    if not colon or not module or not name.isidentifier():
        raise ScenarioError(f'"{reference}" does not name a class; {_EXPECTED}')
    if module.endswith(".py"):
        return module, name, folder / module
    if not all(step.isidentifier() for step in module.split(".")):
        raise ScenarioError(f'"{reference}" does not name a class; {_EXPECTED}')
    return module, name, None


def _require_file(path: Path) -> None:
    if not path.is_file():
        near = did_you_mean(path.name, [each.name for each in sorted(path.parent.glob("*.py"))])
        raise ScenarioError(f"{path}: no such file{near}")


def _module_of(path: Path) -> ModuleType:
    """The file as a module under a name of its own, so that two folders may both have a ``users.py``."""
    resolved = path.resolve()
    name = f"scenario_{sha256(str(resolved).encode()).hexdigest()[:12]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, resolved)
    if spec is None or spec.loader is None:
        raise ScenarioError("not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _blame(error: BaseException, path: Path | None) -> str:
    """File and line where an import failed: the deepest line of the scenario's own folder, as people can change it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    own = [frame for frame in frames if path and Path(frame.filename).is_relative_to(path.resolve().parent)]
    theirs = [frame for frame in frames if frame.filename != __file__]
    deepest = (own or theirs or frames)[-1]
    return f"{deepest.filename}:{deepest.lineno}"


def _said(error: BaseException) -> str:
    return f"importing it failed: {type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except SyntaxError as error:
        raise ScenarioError(f"{path}:{error.lineno}: not Python: {error.msg}") from None
    except ValueError as error:
        raise ScenarioError(f"{path}: not Python: {error}") from None


def _top_level(node: ast.AST) -> Iterator[ast.stmt]:
    """Statements that run on import: the module's own and those in its ``if``, ``try`` and ``with``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _top_level(child)


def _other_names(tree: ast.Module) -> set[str]:
    """Names bound in other ways than by ``class``: imported or assigned; ``*`` for what nobody can tell."""
    names: set[str] = set()
    for node in _top_level(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names
