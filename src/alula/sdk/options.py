"""The settings of a task: what `@task(...)` takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from alula._kits import lazy
from alula.errors import CallError, SignatureError
from alula.sdk import caching
from alula.sdk.attempts import limit_of, retries_of
from alula.sdk.caching import Cache, CacheSettings, VersionParameters
from alula.sdk.signature import caller

if TYPE_CHECKING:
    from alula.sdk import image_spec, secrets
    from alula.sdk import resources as amounts
else:  # imported when somebody uses them: most tasks do not
    image_spec, secrets = lazy.module("alula.sdk.image_spec"), lazy.module("alula.sdk.secrets")
    amounts = lazy.module("alula.sdk.resources")


class TaskKeywords(TypedDict, total=False):
    """The keywords of `@task`, `@dynamic` and `@eager`; each is a field of `TaskOptions`."""

    task_config: Any
    cache: bool | Cache
    cache_serialize: bool
    cache_version: str
    cache_ignore_input_vars: tuple[str, ...]
    retries: int
    interruptible: bool | None
    deprecated: str
    timeout: timedelta | float
    queued_timeout: timedelta | float
    node_timeout: timedelta | float
    container_image: Any
    environment: Mapping[str, str] | None
    requests: Any
    limits: Any
    resources: Any
    secret_requests: Sequence[Any] | None
    node_dependency_hints: Iterable[Any] | None
    task_resolver: Any
    docs: Any
    disable_deck: bool | None
    enable_deck: bool | None
    deck_fields: Any
    pod_template: Any
    pod_template_name: str | None
    accelerator: Any
    pickle_untyped: bool
    shared_memory: bool | str | None
    labels: Mapping[str, str] | None
    annotations: Mapping[str, str] | None
    ignore_input_vars: Iterable[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The settings of one task, checked."""

    task_config: Any = None
    """Chooses the task plugin by its type."""
    cache: bool | Cache = False
    cache_serialize: bool = False
    cache_version: str = ""
    cache_ignore_input_vars: tuple[str, ...] = ()
    retries: int = 0
    """Attempts after the first. Once it is above zero, an ordinary exception of the task is worth a retry."""
    interruptible: bool | None = None
    """May run on a machine that can be taken away. None: as the workflow says."""
    deprecated: str = ""
    timeout: timedelta | float = timedelta(0)
    """Longest time of one attempt that runs; a number is seconds; zero is no limit."""
    queued_timeout: timedelta | float = timedelta(0)
    """Longest time until an attempt starts to run: it is tried again, on account of the task's retries."""
    node_timeout: timedelta | float = timedelta(0)
    """Longest time of a call with all its attempts, and all that it waits for once its inputs are there."""
    container_image: Any = None
    environment: Mapping[str, str] | None = None
    requests: Any = None
    limits: Any = None
    resources: Any = None
    secret_requests: Sequence[Any] | None = None
    node_dependency_hints: Iterable[Any] | None = None
    """Of a dynamic task: entities that it may call, so that they get registered with it."""
    task_resolver: Any = None
    docs: Any = None
    disable_deck: bool | None = None
    enable_deck: bool | None = None
    deck_fields: Any = None
    pod_template: Any = None
    pod_template_name: str | None = None
    accelerator: Any = None
    pickle_untyped: bool = False
    """Parameters without a hint are pickled; by default a missing hint is an error."""
    shared_memory: bool | str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    ignore_input_vars: Iterable[str] = ()
    """Parameters of the function that are not inputs of the task."""

    def __post_init__(self) -> None:
        where = caller()
        if (self.requests is not None or self.limits is not None) and self.resources is not None:
            raise SignatureError(
                "resources and requests or limits are both given", where=where, fix="use resources= alone"
            )
        if self.disable_deck is not None and self.enable_deck is not None:
            raise SignatureError(
                "disable_deck and enable_deck are both given", where=where, fix="use enable_deck= alone"
            )
        try:
            retries_of(self.retries)
            for name in ("timeout", "queued_timeout", "node_timeout"):
                limit_of(getattr(self, name), name)
        except ValueError as exc:
            raise SignatureError(str(exc), where=where, fix="such as retries=2, timeout=timedelta(minutes=5)") from None
        for what, fix in self._odd():
            raise SignatureError(what, where=where, fix=fix)

    def _odd(self) -> Iterator[tuple[str, str]]:
        """Settings that are no values of their kind, each with what to write instead."""
        for name in ("environment", "labels", "annotations"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, Mapping):
                yield f"{name} is {given!r:.80}, and must map texts to texts", f'such as {name}={{"NAME": "value"}}'
            elif given and (odd := [item for item in given.items() if not all(isinstance(one, str) for one in item)]):
                told = ", ".join(f"{key!r}: {value!r:.80}" for key, value in odd)
                yield f"{name} holds {told}, and must map texts to texts", "write values as texts, such as '1'"
        interruptible: Any = self.interruptible
        if not isinstance(interruptible, bool | None):
            yield f"interruptible is {interruptible!r:.80}, and must be True, False or None", "write True or False"
        if self.container_image is not None and not isinstance(self.container_image, str):
            yield from _odd_image(self.container_image)
        if self.secret_requests is not None:
            yield from _odd_secrets(self.secret_requests)
        if self.requests is not None or self.limits is not None or self.resources is not None:
            yield from _odd_resources(self.requests, self.limits, self.resources)

    @property
    def limit(self) -> timedelta:
        """The timeout of one attempt; zero is no limit."""
        return limit_of(self.timeout)

    @property
    def seconds(self) -> float:
        """The timeout of one attempt in seconds; zero is no limit."""
        return self.limit.total_seconds()

    @property
    def deck(self) -> bool:
        """Whether the task writes a report."""
        return bool(self.enable_deck) or self.disable_deck is False

    def cache_settings(self, fn: Callable[..., Any], inputs: Iterable[str], where: str) -> CacheSettings | None:
        """The cache settings in one form, whichever way they were written; None: not cached."""
        params = VersionParameters(
            func=fn,
            container_image=self.container_image,
            pod_template=self.pod_template,
            pod_template_name=self.pod_template_name,
        )
        return caching.settings(
            self.cache,
            params,
            cache_version=self.cache_version or None,
            cache_serialize=self.cache_serialize or None,
            cache_ignore_input_vars=self.cache_ignore_input_vars or None,
            inputs=tuple(inputs),
            where=where,
        )


def _odd_image(given: object) -> Iterator[tuple[str, str]]:
    if not isinstance(given, image_spec.ImageSpec):
        fix = 'such as container_image="registry/name:tag"'
        yield f"container_image is {given!r:.80}, and must be the name of an image or an ImageSpec", fix


def _odd_secrets(given: object) -> Iterator[tuple[str, str]]:
    fix = 'such as secret_requests=[Secret(group="db", key="password")]'
    if not isinstance(given, Sequence) or isinstance(given, str):
        yield f"secret_requests is {given!r:.80}, and must be a list of Secret values", fix
    elif odd := [one for one in given if not isinstance(one, secrets.Secret)]:
        yield f"secret_requests holds {odd[0]!r:.80}, which is no Secret", fix


def _odd_resources(requests: Any, limits: Any, resources: Any) -> Iterator[tuple[str, str]]:
    try:
        above = amounts.above_limits(amounts.resource_spec(requests, limits, resources))
    except CallError as exc:
        yield exc.what, exc.fix
    else:
        yield from ((one, "raise the limit, or ask for less") for one in above)


def options(keywords: Mapping[str, Any], kind: str = "task") -> TaskOptions:
    """The settings that a decorator was given. Raises SignatureError for a keyword that there is not."""
    known = {f.name for f in fields(TaskOptions)}
    unknown = sorted(set(keywords) - known)
    if unknown:
        raise SignatureError(
            f"@{kind} has no setting {', '.join(map(repr, unknown))}",
            where=caller(),
            fix=f"one of {', '.join(sorted(known))}",
        )
    return TaskOptions(**keywords)
