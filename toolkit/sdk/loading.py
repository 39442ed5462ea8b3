"""Finds the handler a wiring names.

May live here: importing the user's code, and saying in one line why that did not work.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from toolkit.sdk.failures import WiringError
from toolkit.sdk.function import Handler

SITE = "TOOLKIT_SITE"  # a folder of libraries that the chain's code requires; as for who judges it (`toolkit.judging`)


def load(handler: str) -> Handler:
    """The function `handler` names: `/path/to/file.py:function` or `package.module:function`; raises WiringError.

    The file's folder is put first on sys.path, so its siblings can be imported, as for a script. The libraries of
    `$TOOLKIT_SITE` are put last: they shadow nothing.
    """
    if (site := os.environ.get(SITE)) and site not in sys.path:
        sys.path.append(site)
    place, _, name = handler.rpartition(":")
    if not place or not name.isidentifier():
        raise WiringError(f"wiring.handler: {handler!r} is neither file.py:function nor package.module:function")
    module = _of_file(Path(place)) if place.endswith(".py") else _imported(place, place)
    return _checked(handler, module, name)


def _of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise WiringError(f"wiring.handler: there is no file {path}")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise WiringError(f"wiring.handler: {path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # never over a module that is loaded already: a file may be named json.py
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise WiringError(f"wiring.handler: {path} cannot be imported: {_innermost(error)}") from error
    return module


def _imported(name: str, shown: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise WiringError(f"wiring.handler: {shown} cannot be imported: {_innermost(error)}") from error


def _checked(handler: str, module: ModuleType, name: str) -> Handler:
    found = getattr(module, name, None)
    if not callable(found):
        raise WiringError(f"wiring.handler: {handler}: {_missing(module, name)}")
    if inspect.isasyncgenfunction(found) or inspect.isgeneratorfunction(found):
        raise WiringError(f"wiring.handler: {handler} yields; a handler returns its answer")
    try:
        inspect.signature(found).bind(None, None)
    except TypeError:
        raise WiringError(f"wiring.handler: {handler} does not take (ctx, request)") from None
    except ValueError:
        pass  # a builtin without a signature: the first call will tell
    loaded: Handler = found
    return loaded


def _missing(module: ModuleType, name: str) -> str:
    import difflib

    known = [each for each, value in vars(module).items() if inspect.isfunction(value) and not each.startswith("_")]
    near = difflib.get_close_matches(name, known, 1)
    return f"no function named {name!r}" + (f" — did you mean {near[0]!r}?" if near else "")


def _innermost(error: BaseException) -> str:
    """What went wrong, and the last line of the user's code on the way there."""
    text = f"{type(error).__name__}: {error}".replace("\n", " ")
    if isinstance(error, SyntaxError):
        return text
    frames: list[Any] = [each for each in traceback.extract_tb(error.__traceback__) if "importlib" not in each.filename]
    user = [each for each in frames if each.filename != __file__]
    return f"{text} ({user[-1].filename}:{user[-1].lineno})" if user else text
