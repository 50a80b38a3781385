"""Finding the classes that a configuration names.

Files are read, not run, until the one that defines the class is found; that one is run once,
however often it is looked for. Places are looked at in this order: the files of the working
folder, of ``h5flow_modules/`` in it, of the folders below that, of the folders below the working
folder; the same from the folder of the configuration; the modules that come with this package.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from .aliases import install_aliases, own_name
from .errors import ClassNotFound, suggest

MODULES_FOLDER = "h5flow_modules"
SKIPPED_FOLDERS = ("__pycache__", "site-packages", "node_modules", "build", "dist")
SKIPPED_FILES = ("setup.py", "conftest.py", "h5flow.py")
BUILTIN = f"{__package__}.modules"
OWN_SOURCES = os.path.join(os.sep, *str(__package__).split("."))

_loaded: dict[str, ModuleType] = {}


def get_class(classname: str, path: str | None = None, folders: Iterable[str] = ()) -> type[Any]:
    """Return the class of a generator, stage or resource.

    Parameters
    ----------
    classname : str
        Its name.
    path : str, optional
        The module it is in, with dots; without it, the class is looked for.
    folders : iterable of str
        Where to look besides the working folder.

    Raises
    ------
    ClassNotFound
        If there is no such class where classes are looked for.
    ModuleNotFoundError, AttributeError
        If there is no module at ``path``, or no such class in it.
    Exception
        Whatever the module raises when it is loaded.
    """
    install_aliases()
    if path is not None:
        return _from_module(classname, path)
    file = locate_class(classname, folders)
    return _from_module(classname, BUILTIN) if file is None else _attribute(file, classname)


def find_class(classname: str, folder: str) -> type[Any] | None:
    """Return the class from the files of one folder; None if none of them has it."""
    install_aliases()
    for file in _files_in(folder):
        if _defines(file, classname):
            return _attribute(file, classname)
    return None


def locate_class(classname: str, folders: Iterable[str] = ()) -> str | None:
    """Return the file that has a class, without running it; None for one of our own.

    Raises
    ------
    ClassNotFound
        If there is no such class.
    """
    for file in _candidates(folders):
        if _defines(file, classname):
            return file
    builtin = vars(importlib.import_module(BUILTIN))
    own = [name for name, value in builtin.items() if isinstance(value, type)]
    if classname in own:
        return None
    known = {name for file in _candidates(folders) for name in _class_names(file)}
    places = ", ".join(f"`{folder}'" for folder in dict.fromkeys([os.getcwd(), *folders]))
    raise ClassNotFound(
        f"no class `{classname}' in the Python files of {places}"
        f"{suggest(classname, [*known, *own])}"
    )


def _from_module(classname: str, path: str) -> type[Any]:
    module = importlib.import_module(own_name(path))
    try:
        return getattr(module, classname)  # type: ignore[no-any-return]
    except AttributeError:
        known = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise AttributeError(
            f"no class `{classname}' in module `{path}'{suggest(classname, known)}"
        ) from None


def _candidates(folders: Iterable[str]) -> Iterator[str]:
    """Yield all files that may have a class, each once, in the order of their precedence."""
    visited: set[str] = set()
    for root in dict.fromkeys(map(os.path.realpath, [".", *folders])):
        modules = os.path.join(root, MODULES_FOLDER)
        yield from _files_in(root)
        for folder in _walk(modules, visited):
            yield from _files_in(folder)
        for folder in _walk(root, visited):
            if folder != root:
                yield from _files_in(folder)


def _walk(folder: str, visited: set[str]) -> Iterator[str]:
    """Yield a folder and those below it, in the order of their names, each real one once."""
    real = os.path.realpath(folder)
    if real in visited or not os.path.isdir(real) or real.endswith(OWN_SOURCES):
        return  # what is in a copy of our sources is there once already: in this very package
    visited.add(real)
    yield real
    try:
        names = sorted(entry.name for entry in os.scandir(real) if entry.is_dir())
    except OSError:  # a folder that may not be read has nothing for us
        return
    for name in names:
        below = os.path.join(real, name)
        if name.startswith(".") or name in SKIPPED_FOLDERS:
            continue
        if not os.path.exists(os.path.join(below, "pyvenv.cfg")):
            yield from _walk(below, visited)


def _files_in(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        os.path.join(folder, name)
        for name in names
        if name.endswith(".py") and name not in SKIPPED_FILES
    ]


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as f:
            return f.read()
    except (OSError, UnicodeDecodeError):
        return ""


def _defines(file: str, classname: str) -> bool:
    """Tell whether a module defines or imports a name at its top level.

    Raises
    ------
    SyntaxError
        If it has the class but is no Python.
    """
    text = _read(file)
    if classname not in text:
        return False
    try:
        tree = ast.parse(text, file)
    except (SyntaxError, ValueError):
        if re.search(rf"^class {re.escape(classname)}\b", text, re.MULTILINE):
            raise
        return False
    return any(classname in _names(statement) for statement in _top_level(tree.body))


def class_names(file: str) -> list[str] | None:
    """Return the names that may be classes in a module; None if that cannot be told by reading."""
    try:
        statements = list(_top_level(ast.parse(_read(file), file).body))
    except (SyntaxError, ValueError):
        return None
    names = [name for statement in statements for name in _names(statement)]
    return None if "*" in names else names


def _class_names(file: str) -> list[str]:
    return re.findall(r"^class (\w+)", _read(file), re.MULTILINE)


def _top_level(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in statements:
        yield statement
        if isinstance(statement, (ast.If, ast.Try)):
            yield from _top_level(statement.body + statement.orelse)
        if isinstance(statement, ast.Try):
            yield from _top_level(s for handler in statement.handlers for s in handler.body)


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.ClassDef):
        return [statement.name]
    if isinstance(statement, (ast.ImportFrom, ast.Import)):
        return [alias.asname or alias.name for alias in statement.names]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _attribute(file: str, classname: str) -> type[Any]:
    return getattr(_load(file), classname)  # type: ignore[no-any-return]


def _load(file: str) -> ModuleType:
    """Run a file as a module, once.

    If it is what an import statement would find under its name, it is imported like that, so
    that it is the same module for everybody. Otherwise it gets a name of its own: whatever has
    its name already, in the standard library for instance, keeps it.
    """
    file = os.path.realpath(file)
    if file not in _loaded:
        folder, name = _place(file)
        importlib.invalidate_caches()
        sys.path.append(folder)  # last: what is there shadows nothing
        try:
            own = _is_found(name, file)
            _loaded[file] = importlib.import_module(name) if own else _run(name, file)
        finally:
            sys.path.remove(folder)
    return _loaded[file]


def _place(file: str) -> tuple[str, str]:
    """Return the folder from which a file can be imported, and its name as a module then."""
    folder, name = os.path.split(file.removesuffix(".py"))
    while os.path.exists(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    return folder, name


def _is_found(name: str, file: str) -> bool:
    """Tell whether importing a name gives a file, without running anything."""
    known = sys.modules.get(name)
    if known is not None:
        return os.path.realpath(getattr(known, "__file__", None) or "") == file
    top, *below = name.split(".")
    if not all(part.isidentifier() for part in (top, *below)):
        return False
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # something without a specification has the name
        return False
    origin = os.path.realpath(spec.origin) if spec is not None and spec.origin else ""
    return file.startswith(os.path.dirname(origin) + os.sep) if below else origin == file


def _run(name: str, file: str) -> ModuleType:
    digest = hashlib.sha256(file.encode()).hexdigest()[:12]
    unique = f"_flow_{digest}_{name.rpartition('.')[2]}"
    spec = importlib.util.spec_from_file_location(unique, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load `{file}' as a module", path=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module
