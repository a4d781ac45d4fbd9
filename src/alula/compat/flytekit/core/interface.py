"""`Interface`: names and types of what goes in and what comes out, as flytekit keeps them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from alula.compat.declared import declared, one_value
from alula.compat.flytekit.core.docstring import Docstring
from alula.compat.flytekit.exceptions.user import FlyteMissingReturnValueException, FlyteMissingTypeException
from alula.compat.flytekit.models.interface import ParameterMap, TypedInterface, Variable
from alula.compat.names import mirror
from alula.errors import UnsupportedType
from alula.idl import Variable as VariableMessage
from alula.sdk import signature
from alula.sdk.local import current_run
from alula.sdk.signature import REQUIRED, Input, Output
from alula.types import maps
from alula.types.registry import default
from alula.types.transformer import Converter, split, type_name


class Interface:
    """What goes in and what comes out of an entity.

    Args:
        inputs: Names to types, or to pairs of type and default.
        outputs: Names to types.
        output_tuple_name: The name of the NamedTuple that names the outputs.
        docstring: Describes them.
    """

    def __init__(
        self,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        output_tuple_name: str | None = None,
        docstring: Docstring | None = None,
    ) -> None:
        self._inputs: dict[str, tuple[Any, Any]] = {
            name: given if isinstance(given, tuple) else (given, None) for name, given in (inputs or {}).items()
        }
        self._outputs: Mapping[str, Any] = {} if outputs is None else outputs
        self.output_tuple_name, self.docstring = output_tuple_name, docstring
        self.named: type[Any] | None = None
        """The NamedTuple that a function returns."""
        self.as_tuple = len(self._outputs) > 1
        self.source: Callable[..., Any] | None = None
        self.title = ""
        """Of what it is the interface, for errors."""

    @property
    def inputs(self) -> dict[str, Any]:
        return {name: t for name, (t, _) in self._inputs.items()}

    @property
    def inputs_with_defaults(self) -> dict[str, tuple[Any, Any]]:
        return self._inputs

    @property
    def default_inputs_as_kwargs(self) -> dict[str, Any]:
        return {name: value for name, (_, value) in self._inputs.items() if value is not None}

    @property
    def outputs(self) -> Any:
        return self._outputs

    @property
    def output_names(self) -> list[str] | None:
        return list(self._outputs) or None

    @property
    def output_tuple(self) -> Any:
        name = self.output_tuple_name or "DefaultNamedTupleOutput"
        return NamedTuple(name, [(each, Any) for each in self._outputs]) if self._outputs else None

    def remove_inputs(self, vars: Any = None) -> Interface:
        dropped = set(vars or ())
        return self._with({k: v for k, v in self._inputs.items() if k not in dropped}, self._outputs)

    def with_inputs(self, extra_inputs: Mapping[str, Any]) -> Interface:
        self._refuse_known(extra_inputs, self._inputs, "input")
        return self._with({**self._inputs, **extra_inputs}, self._outputs)

    def with_outputs(self, extra_outputs: Mapping[str, Any]) -> Interface:
        self._refuse_known(extra_outputs, self._outputs, "output")
        return self._with(self._inputs, {**self._outputs, **extra_outputs})

    @cached_property
    def ours(self) -> signature.Interface:
        """The interface of Alula's. Raises UnsupportedType, RestrictedTypeError."""
        inputs = {}
        for name, (t, value) in self._inputs.items():
            given = one_value(t)
            counts = value is not None or (name in self._none_is_default and signature.optional(given))
            converter = self._converter(given, f"input '{name}'")
            inputs[name] = Input(name, given, converter, value if counts else REQUIRED)
        outputs = {}
        for name, t in self._outputs.items():
            given = one_value(t)
            outputs[name] = Output(name, given, self._converter(given, f"output '{name}'"))
        return signature.Interface(inputs, outputs, self.named, self.as_tuple, self.source)

    _none_is_default: frozenset[str] = frozenset()
    """Inputs whose default was written down as None."""

    def _converter(self, t: Any, what: str) -> Converter:
        try:
            return default.converter(t)
        except UnsupportedType as exc:
            raise UnsupportedType(
                f"{what}{f' of {self.title!r}' if self.title else ''} has type {type_name(split(t)[0])}: {exc.what}",
                where=signature.caller(),
                fix=exc.fix,
            ) from exc

    def _with(self, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Interface:
        made = Interface(inputs, outputs, self.output_tuple_name, self.docstring)
        made.named, made.source, made._none_is_default = self.named, self.source, self._none_is_default
        made.as_tuple = self.as_tuple or made.as_tuple
        return made

    @staticmethod
    def _refuse_known(extra: Mapping[str, Any], known: Mapping[str, Any], kind: str) -> None:
        doubled = [name for name in extra if name in known]
        if doubled:
            raise ValueError(f"{kind} {', '.join(doubled)} is there already")

    def __repr__(self) -> str:
        return f"Interface(inputs={self.inputs}, outputs={self.outputs})"


def transform_function_to_interface(
    fn: Callable[..., Any],
    docstring: Docstring | None = None,
    is_reference_entity: bool = False,
    pickle_untyped: bool = False,
) -> Interface:
    """The interface of a function, from its annotations.

    Raises:
        FlyteMissingTypeException: a parameter has none.
        FlyteMissingReturnValueException: it says that it returns something, and does not.
    """
    hints = get_type_hints(inspect.unwrap(fn), include_extras=True)
    returned = hints.get("return", Any if pickle_untyped else None)
    outputs = extract_return_annotation(returned)
    if outputs and not is_reference_entity and not _returns(fn):
        raise FlyteMissingReturnValueException(fn=fn)
    inputs: dict[str, Any] = {}
    parameters = inspect.signature(fn).parameters.values()
    for parameter in parameters:
        t = hints.get(parameter.name, Any if pickle_untyped else None)
        if t is None:
            raise FlyteMissingTypeException(fn=fn, param_name=parameter.name)
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ValueError(f"parameter {parameter} of {fn.__name__}: inputs are passed by name, so name each of them")
        inputs[parameter.name] = (t, None if parameter.default is parameter.empty else parameter.default)
    base = split(returned)[0]
    made = Interface(inputs, outputs, None, docstring)
    made.source = fn
    made.title = getattr(fn, "__name__", "")
    if isinstance(base, type) and hasattr(base, "_fields") and issubclass(base, tuple):
        made.named, made.as_tuple, made.output_tuple_name = base, True, base.__name__
    elif get_origin(base) is tuple or isinstance(base, tuple):
        made.as_tuple = True
    made._none_is_default = frozenset(p.name for p in parameters if p.default is None)
    return made


def extract_return_annotation(return_annotation: Any) -> dict[str, Any]:
    """Output names and types that a return annotation stands for."""
    base = split(return_annotation)[0]
    if return_annotation is None or return_annotation is type(None):
        return {}
    if isinstance(return_annotation, tuple):
        return dict(zip(output_name_generator(len(return_annotation)), return_annotation, strict=True))
    if isinstance(base, type) and issubclass(base, tuple) and hasattr(base, "_fields"):
        hints = get_type_hints(base, include_extras=True)
        return {name: hints[name] for name in base._fields}
    if get_origin(base) is tuple:
        args = get_args(base)
        if len(args) == 2 and args[1] is Ellipsis:
            return {"o0": return_annotation}
        if len(args) == 1:
            raise ValueError(f"the return annotation {base} is a tuple of one: name the type itself, or a NamedTuple")
        return dict(zip(output_name_generator(len(args)), args, strict=True))
    return {"o0": return_annotation}


def default_output_name(index: int = 0) -> str:
    return f"o{index}"


def output_name_generator(length: int) -> Generator[str, None, None]:
    return (default_output_name(index) for index in range(length))


def transform_interface_to_typed_interface(
    interface: Interface | None, allow_partial_artifact_id_binding: bool = False
) -> TypedInterface | None:
    return None if interface is None else typed_interface(interface.ours)


def typed_interface(interface: signature.Interface) -> TypedInterface:
    """An interface of Alula's as a model, in the order of its declaration."""
    made: TypedInterface = TypedInterface.from_flyte_idl(interface.message())
    made.inputs = {name: made.inputs[name] for name in interface.inputs}
    made.outputs = {name: made.outputs[name] for name in interface.outputs}
    return made


def transform_variable_map(
    variable_map: Mapping[str, Any], descriptions: Mapping[str, str] | None = None
) -> dict[str, Variable]:
    return {name: transform_type(t, (descriptions or {}).get(name, name)) for name, t in variable_map.items()}


def transform_type(x: Any, description: str | None = None) -> Variable:
    lt = default.converter(declared(x)).literal_type
    return Variable.from_flyte_idl(VariableMessage(type=lt, description=description or ""))


def transform_inputs_to_parameters(ctx: Any, interface: Interface) -> ParameterMap:
    """Inputs as a launch plan takes them: required, or with a default."""
    return parameters_of(interface.ours)


def parameters_of(interface: signature.Interface) -> ParameterMap:
    """The same, of an interface of Alula's."""
    described = interface.message().inputs.variables
    message = ParameterMap.idl()
    for name, one in interface.inputs.items():
        parameter = message.parameters[name]
        parameter.var.CopyFrom(described[name])
        if one.required:
            parameter.required = True
        else:
            parameter.default.CopyFrom(_default(one))
    return ParameterMap.from_flyte_idl(message)


def _default(one: Input) -> Any:
    return maps.literal(one.default, one.converter, current_run().place)


def _returns(fn: Callable[..., Any]) -> bool:
    """Whether the source of a function holds a `return` or a `yield`; where there is no source, yes."""
    try:
        source = inspect.getsource(inspect.unwrap(fn))
    except (OSError, TypeError):
        return True
    return bool(re.search(r"\b(return|yield)\b", source)) or "lambda" in source


__getattr__, __dir__ = mirror(__name__, {})
