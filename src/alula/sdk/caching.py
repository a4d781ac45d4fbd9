"""When the outputs of a task may be used again: `Cache`, and what it comes down to."""

from __future__ import annotations

import hashlib
import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, runtime_checkable

from alula.errors import AlulaError, CallError

if TYPE_CHECKING:
    from alula.sdk.image import ImageSpec
    from alula.sdk.pod import PodTemplate

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class VersionParameters(Generic[P, R]):
    """What a policy may look at to find the version of a task."""

    func: Callable[P, R]
    container_image: str | ImageSpec | None = None
    pod_template: PodTemplate | None = None
    pod_template_name: str | None = None


@runtime_checkable
class CachePolicy(Protocol):
    """A way to find the version of a task, so that the author need not write one."""

    def get_version(self, salt: str, params: VersionParameters[..., Any]) -> str:
        """A string that changes whenever outputs of former runs are no longer good. Called once per declaration."""
        ...


@dataclass(frozen=True)
class Cache:
    """How a task is cached: `@task(cache=Cache(version="1"))`.

    Args:
        version: Change it when the outputs for the same inputs change. None: the policies find it.
        serialize: Of several concurrent runs with equal inputs one runs, the others wait for its outputs.
        ignored_inputs: Inputs that do not matter for the outputs.
        salt: Told to the policies.
        policies: Find the version together, in order.

    Raises:
        CallError: Neither a version nor a policy, or a policy that is none.
    """

    version: str | None = None
    serialize: bool = False
    ignored_inputs: tuple[str, ...] | list[str] | str = ()
    salt: str = ""
    policies: Sequence[CachePolicy] | CachePolicy | None = None

    def __post_init__(self) -> None:
        policies: tuple[object, ...] = self._policies()
        for policy in policies:
            if not isinstance(policy, CachePolicy) or isinstance(policy, type):
                raise CallError(
                    f"a cache policy needs a method get_version(salt, params), {policy!r:.80} has none",
                    where="Cache(policies=...)",
                    fix="pass instances, such as policies=[FunctionSource()]",
                )
        if self.version is None and not policies:
            raise CallError(
                "a Cache has neither a version nor a policy that could find one",
                where="Cache(...)",
                fix='write Cache(version="1"), or Cache(policies=[FunctionSource()]) to follow the function\'s source',
            )

    def get_ignored_inputs(self) -> tuple[str, ...]:
        ignored = self.ignored_inputs
        return (ignored,) if isinstance(ignored, str) else tuple(ignored)

    def get_version(self, params: VersionParameters[..., Any]) -> str:
        """The version as given, or the one that the policies find.

        Raises:
            CallError: A policy failed.
        """
        if self.version is not None:
            return self.version
        found = ""
        for policy in self._policies():
            try:
                found += policy.get_version(self.salt, params)
            except AlulaError:
                raise
            except Exception as exc:  # the border to someone else's policy, which may raise anything
                raise CallError(
                    f"the cache policy {policy!r} could not find a version: {type(exc).__name__}: {exc}",
                    where=f"task {getattr(params.func, '__qualname__', params.func)}",
                    fix='set the version yourself: Cache(version="1")',
                ) from exc
        return hashlib.sha256(found.encode()).hexdigest()

    def _policies(self) -> tuple[CachePolicy, ...]:
        if self.policies is None:
            return ()
        if isinstance(self.policies, Sequence):
            return tuple(self.policies)
        return (self.policies,)


@dataclass(frozen=True)
class FunctionSource:
    """A policy: the version follows the source of the function, without comments above it or its indentation.

    What the function calls does not count.
    """

    def get_version(self, salt: str, params: VersionParameters[..., Any]) -> str:
        func = inspect.unwrap(params.func)
        try:
            source = textwrap.dedent(inspect.getsource(func))
        except (OSError, TypeError) as exc:
            raise CallError(
                f"the source of {getattr(func, '__qualname__', func)} cannot be read: {exc}",
                where="cache policy FunctionSource",
                fix='set the version yourself: Cache(version="1")',
            ) from exc
        return hashlib.sha256(f"{salt}\0{source}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What all ways to say how a task is cached come down to."""

    version: str
    serialize: bool = False
    ignored_inputs: tuple[str, ...] = ()


def settings(
    cache: bool | Cache | None = None,
    params: VersionParameters[..., Any] | None = None,
    *,
    cache_version: str | None = None,
    cache_serialize: bool | None = None,
    cache_ignore_input_vars: tuple[str, ...] | list[str] | None = None,
    inputs: Sequence[str] | None = None,
    where: str = "",
) -> CacheSettings | None:
    """The cache arguments of a task, old ones included, as one value; None: not cached.

    Args:
        cache: As given to the decorator.
        params: The task, for the policies.
        cache_version: The old spelling of `Cache(version=...)`; the two after it likewise.
        inputs: Names of the task's inputs, to find ignored ones that do not exist; None: not checked.
        where: The task, for error messages.

    Raises:
        CallError: The arguments contradict each other, or no version can be found.
    """
    old = {
        name: value
        for name, value in {
            "cache_version": cache_version,
            "cache_serialize": cache_serialize,
            "cache_ignore_input_vars": cache_ignore_input_vars,
        }.items()
        if value is not None
    }
    if isinstance(cache, Cache):
        found = _from_cache(cache, params, old, where)
    elif cache is True:
        found = _from_old(old, where)
    elif not cache:
        _refuse_unused(old, where)
        return None
    else:
        raise CallError(
            f"cache takes True, False or a Cache, got {type(cache).__name__}: {cache!r:.80}",
            where=where,
            fix='write cache=Cache(version="1")',
        )
    unknown = [name for name in found.ignored_inputs if inputs is not None and name not in inputs]
    if unknown:
        raise CallError(
            f"ignored input {', '.join(map(repr, unknown))} is no input of the task",
            where=where,
            fix=f"choose from: {', '.join(inputs or ()) or 'none, the task has no inputs'}",
        )
    return found


def _from_cache(
    cache: Cache, params: VersionParameters[..., Any] | None, old: dict[str, Any], where: str
) -> CacheSettings:
    if old:
        raise CallError(
            f"{', '.join(old)} cannot stand beside a Cache object, which says the same",
            where=where,
            fix="move it into Cache(version=..., serialize=..., ignored_inputs=...)",
        )
    if cache.version is None and params is None:
        raise CallError(
            "the cache policies have no function to look at here",
            where=where,
            fix='set the version yourself: Cache(version="1")',
        )
    version = cache.version if params is None else cache.get_version(params)
    return CacheSettings(version or "", cache.serialize, cache.get_ignored_inputs())


def _from_old(old: dict[str, Any], where: str) -> CacheSettings:
    if not old.get("cache_version"):
        raise CallError(
            "cache=True does not say which version of the task the outputs belong to",
            where=where,
            fix='write cache=Cache(version="1"), and change the version when the outputs for the same inputs change',
        )
    ignored = old.get("cache_ignore_input_vars", ())
    return CacheSettings(
        str(old["cache_version"]),
        bool(old.get("cache_serialize")),
        (ignored,) if isinstance(ignored, str) else tuple(ignored),
    )


def _refuse_unused(old: dict[str, Any], where: str) -> None:
    for name in ("cache_serialize", "cache_ignore_input_vars"):
        if old.get(name):
            raise CallError(
                f"{name}={old[name]!r} has no effect, for the task is not cached",
                where=where,
                fix='add cache=Cache(version="1"), or remove it',
            )
