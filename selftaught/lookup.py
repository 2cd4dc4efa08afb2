"""Objectives and tasks by name. There is no registry: a name is a file, and listing walks the folder."""

import dataclasses
import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from selftaught.errors import SelftaughtError
from selftaught.objective import Objective, Sum
from selftaught.task import Task

OBJECTIVES = "selftaught.objectives"
TASKS = "selftaught.tasks"
_OWN = "write it as package.module:Class, importable from here"


def names(package: str) -> list[str]:
    """The files of ``package`` (``OBJECTIVES`` or ``TASKS``)."""
    return sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))


def import_own(name: str | None) -> None:
    """Import what a name as ``package.module:Class`` needs. The user must have given it: no file has code imported.

    Raises:
        SelftaughtError: it cannot be imported.
    """
    for module in (part.partition(":")[0] for part in (name or "").split("+") if ":" in part):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise SelftaughtError(f"{name!r} cannot be imported: {error}", do=_OWN) from error


def find(name: str, package: str, *, also: Iterable[str] = ()) -> type[Objective]:
    """The class called ``name`` in ``package``, or the user's own as ``module.path:Class``, if that is imported.

    Names stand in the files of models and recipes, too, which may be from anywhere: nothing is imported for them.

    Args:
        also: names of what is no file of the package but may have been meant.

    Raises:
        SelftaughtError: if there is none, with the nearest name there is.
    """
    if ":" in name:
        return _users_own(name)
    if name not in names(package):
        known = sorted([*names(package), *also])
        kind = package.rpartition(".")[2].removesuffix("s")
        near = difflib.get_close_matches(name, known, 1)
        do = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(known)
        raise SelftaughtError(f"there is no {kind} called {name!r}", do=do)
    return _class_in(importlib.import_module(f"{package}.{name}"))


def make(spec: str, package: str, options: Mapping[str, Any], weights: tuple[float, ...] = ()) -> Objective:
    """The objective that ``spec`` names (``mlm``, ``mlm+nsp``) with its options.

    Args:
        options: fields of the objective's dataclass; of a sum, by member name.
        weights: of a sum's members.
    """
    parts = spec.split("+")
    if len(parts) == 1:
        if weights:
            raise SelftaughtError(f"{spec} is one objective and takes no weights", do="fuse several as mlm+nsp")
        return _instance(find(spec, package), spec, options)
    unknown = set(options) - set(parts)
    if unknown:
        raise SelftaughtError(f"{spec} has no member {sorted(unknown)[0]!r}", do="its members are " + ", ".join(parts))
    members = tuple(_instance(find(part, package), part, options.get(part, {})) for part in parts)
    try:
        return Sum(members, weights)
    except ValueError as error:
        raise SelftaughtError(f"{spec}: {error}") from error


def find_task(name: str) -> type[Task[Any]]:
    """The task called ``name``, or the user's own as ``module.path:Class``.

    Raises:
        SelftaughtError: if there is none.
    """
    kind = find(name, TASKS)
    if not issubclass(kind, Task):
        raise SelftaughtError(f"{name!r} is not a Task", do="derive it from selftaught.task.Task")
    return kind


def make_task(name: str, examples: Sequence[Any], options: Mapping[str, Any]) -> Task[Any]:
    """The task called ``name`` as its training examples pose it.

    Args:
        options: those of its fields that have a default; the examples decide the others.
    """
    kind = find_task(name)
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in options and field.default is field.default_factory is dataclasses.MISSING:
            where = f"objective.options.{field.name}"
            raise SelftaughtError(f"{field.name}: the labels decide this; it cannot be set", where=where)
    return _made(kind.of, name, examples, **checked(kind, name, options))


def remake_task(name: str, fields: Mapping[str, Any]) -> Task[Any]:
    """The task called ``name`` with all its fields, as :func:`dataclasses.asdict` gave them."""
    kind = find_task(name)
    return _made(kind, name, **checked(kind, name, fields))


def _instance(kind: type[Objective], name: str, options: Mapping[str, Any]) -> Objective:
    return _made(kind, name, **checked(kind, name, options))


def _made(make: Callable[..., Any], name: str, *arguments: Any, **options: Any) -> Any:
    try:
        return make(*arguments, **options)
    except (TypeError, ValueError) as error:
        raise SelftaughtError(f"{name}: {error}", do="see selftaught objectives") from error


def checked(kind: type[Any], name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by name, each as the type that it should have."""
    fields = [field.name for field in dataclasses.fields(kind)]
    for option in options:
        if option not in fields:
            near = difflib.get_close_matches(option, fields, 1)
            do = f"did you mean {near[0]}?" if near else f"{name} has: " + (", ".join(fields) or "no options")
            raise SelftaughtError(f"{name} has no option {option!r}", do=do)
    hints = get_type_hints(kind)
    return {option: _typed(name, option, hints[option], value) for option, value in options.items()}


def _typed(name: str, option: str, hint: Any, value: Any) -> Any:
    """The value as the option's type, where it can be read as one."""
    try:
        return TypeAdapter(hint).validate_python(value)
    except PydanticSchemaGenerationError:  # a class of the user's own
        return value
    except ValidationError as error:
        what = f"{name}: {option} cannot be {value!r}: {error.errors()[0]['msg']}"
        raise SelftaughtError(what, do="see selftaught objectives") from error


def _users_own(name: str) -> type[Objective]:
    module, _, attribute = name.partition(":")
    if module not in sys.modules:
        raise SelftaughtError(
            f"a file names code, {name!r}, and code is run for no file",
            do=f"if it is yours, give it as --objective or --task too, or import {module} in Python and go on there",
        )
    try:
        found = getattr(sys.modules[module], attribute)
    except AttributeError as error:
        raise SelftaughtError(f"{name!r} cannot be imported: {error}", do=_OWN) from error
    if not (inspect.isclass(found) and issubclass(found, Objective)):
        raise SelftaughtError(f"{name!r} is not an Objective", do="derive it from selftaught.objective.Objective")
    return found


def _class_in(module: Any) -> type[Objective]:
    """The one objective that a file defines."""
    own = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, Objective) and thing.__module__ == module.__name__
    ]
    (found,) = own
    return found
