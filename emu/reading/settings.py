"""What a user writes behind `--set`: texts that become the arguments of a topology's function."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import UsageError, shown, suggestion

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a topology's parameters by name, their annotations evaluated; not `*args` and its like."""
    parameters = _signature(function).parameters
    return {name: one for name, one in parameters.items() if one.kind not in _VARIADIC}


def arguments_for(function: Callable[..., Any], name: str, settings: Sequence[str]) -> inspect.BoundArguments:
    """Return the arguments with which to call a topology's function.

    Args:
        function: the function.
        name: the topology's name, for errors.
        settings: texts such as `key=value`; the last one of a key counts.

    Raises:
        UsageError: there is no such parameter, a value is not of its type, or one is missing.
    """
    parameters = parameters_of(function)
    given: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"set {shown(setting)}: write it as key=value")
        if key not in parameters:
            known = f"; it has {', '.join(parameters)}" if parameters else "; it has none"
            hint = suggestion(key, parameters) or known
            raise UsageError(f"set {shown(key)}: topology {name} has no such parameter{hint}")
        given[key] = _converted(text, key, parameters[key])
    missing = [key for key, one in parameters.items() if key not in given and one.default is one.empty]
    if missing:
        raise UsageError(f"topology {name} needs {', '.join(f'--set {key}=...' for key in missing)}")
    bound = inspect.BoundArguments(_signature(function), given)
    bound.apply_defaults()
    return bound


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except Exception:  # noqa: BLE001  # an annotation is any expression, and may be for type checkers only
        return inspect.signature(function)


def _converted(text: str, key: str, parameter: inspect.Parameter) -> Any:
    """Return the text of a setting as the type that the parameter is annotated with."""
    wanted = parameter.annotation
    if wanted is parameter.empty or isinstance(wanted, str):
        wanted = str if parameter.default in (parameter.empty, None) else type(parameter.default)
    kinds = _alternatives(wanted)
    for kind in kinds:
        try:
            return _parsed(text, kind)
        except Exception:  # noqa: BLE001, S112  # of a type of other people's, too
            continue
    expected = _one_of([_expected(kind) for kind in kinds])
    choices = [str(value) for kind in kinds for value in typing.get_args(kind)]
    raise UsageError(f"set {key}={shown(text)}: {key} must be {expected}{suggestion(text, choices)}")


def _alternatives(wanted: Any) -> list[Any]:
    """Return the types of a union, text last: every text is one."""
    if typing.get_origin(wanted) is typing.Annotated:
        return _alternatives(typing.get_args(wanted)[0])
    if isinstance(wanted, types.UnionType) or typing.get_origin(wanted) is typing.Union:
        return sorted(typing.get_args(wanted), key=lambda kind: kind is str)
    return [wanted]


def _parsed(text: str, kind: Any) -> Any:
    """Return a text as a value of one type; any exception says that it is none."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if kind is bool:
        return {**dict.fromkeys(_TRUE, True), **dict.fromkeys(_FALSE, False)}[text.lower()]
    if kind is type(None):
        return {"": None, "none": None}[text.lower()]
    if origin is typing.Literal:
        return next(value for value in inner if str(value) == text)
    if _is_collection(origin):
        return _collection(re.split(r"[,\s]+", text.strip()) if text.strip() else [], origin, inner)
    return kind(text) if isinstance(kind, type) else text


def _collection(words: list[str], origin: Any, inner: tuple[Any, ...]) -> Any:
    if origin is tuple and inner and inner[-1] is not ...:
        return tuple(_parsed(word, item) for word, item in zip(words, inner, strict=True))
    values = [_parsed(word, inner[0] if inner else str) for word in words]
    return origin(values) if origin in (tuple, set, frozenset) else values


def _is_collection(origin: Any) -> bool:
    """Tell whether a type is that of a list, or can be made of one: `list`, `Sequence`, `set`, `tuple`."""
    if origin in (tuple, set, frozenset):
        return True
    return isinstance(origin, type) and origin is not object and issubclass(list, origin)


def _expected(kind: Any) -> str:
    """Return how to tell a user what a type's values look like."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if kind is bool:
        return "yes or no"
    if kind is type(None):
        return "none"
    if origin is typing.Literal:
        return _one_of([str(value) for value in inner])
    if origin is tuple and inner and inner[-1] is not ...:
        return ",".join(_expected(item) for item in inner)
    if _is_collection(origin):
        return f"a list of {_expected(inner[0] if inner else str)}"
    return getattr(kind, "__name__", str(kind))


def _one_of(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
