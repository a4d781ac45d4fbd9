from __future__ import annotations

import functools
from typing import Any

import pytest

from alula.errors import CallError
from alula.sdk.caching import Cache, CachePolicy, CacheSettings, FunctionSource, VersionParameters, settings


def add(a: int, b: int) -> int:
    return a + b


def subtract(a: int, b: int) -> int:
    return a - b


ADD: VersionParameters[..., Any] = VersionParameters(func=add)


class Salted:
    def get_version(self, salt: str, params: VersionParameters[..., Any]) -> str:
        return f"{salt}-{params.func.__name__}-{params.container_image}"


class Broken:
    def get_version(self, salt: str, params: VersionParameters[..., Any]) -> str:
        raise KeyError("lost")


def test_a_version_is_taken_as_it_is() -> None:
    assert settings(Cache(version="7", serialize=True, ignored_inputs="a"), ADD) == CacheSettings("7", True, ("a",))


def test_nothing_is_cached_unless_asked_for() -> None:
    assert settings() is None
    assert settings(False, cache_version="1") is None


def test_the_old_arguments_mean_the_same() -> None:
    old = settings(True, cache_version="7", cache_serialize=True, cache_ignore_input_vars=("a",))
    assert old == settings(Cache(version="7", serialize=True, ignored_inputs=("a",)))


def test_cache_true_alone_is_refused_and_says_what_to_write() -> None:
    with pytest.raises(CallError) as caught:
        settings(True, ADD, where="task add")
    assert caught.value.where == "task add"
    assert 'cache=Cache(version="1")' in caught.value.fix
    assert isinstance(caught.value, ValueError)


def test_a_cache_without_version_and_policy_is_refused() -> None:
    with pytest.raises(CallError, match="neither a version nor a policy"):
        Cache()


def test_the_old_arguments_beside_a_cache_are_refused() -> None:
    with pytest.raises(CallError, match="cache_version, cache_serialize cannot stand beside a Cache"):
        settings(Cache(version="1"), cache_version="2", cache_serialize=False)


@pytest.mark.parametrize("old", [{"cache_serialize": True}, {"cache_ignore_input_vars": ("a",)}])
def test_arguments_that_would_have_no_effect_are_refused(old: dict[str, Any]) -> None:
    with pytest.raises(CallError, match="has no effect"):
        settings(False, **old)


def test_a_value_that_is_no_cache_is_refused() -> None:
    with pytest.raises(CallError, match="got str: 'yes'"):
        settings("yes")  # type: ignore[arg-type]


def test_an_ignored_input_must_exist() -> None:
    with pytest.raises(CallError, match="'c' is no input") as caught:
        settings(Cache(version="1", ignored_inputs=("a", "c")), ADD, inputs=["a", "b"])
    assert "a, b" in caught.value.fix


def test_policies_find_the_version_in_order() -> None:
    here = settings(Cache(policies=[Salted(), FunctionSource()], salt="s"), ADD)
    there = settings(Cache(policies=[FunctionSource(), Salted()], salt="s"), ADD)
    assert here is not None
    assert there is not None
    assert len(here.version) == 64
    assert here.version != there.version


def test_a_policy_is_known_by_its_method() -> None:
    assert isinstance(Salted(), CachePolicy)
    with pytest.raises(CallError, match="get_version"):
        Cache(policies=[object()])  # type: ignore[list-item]
    with pytest.raises(CallError, match="get_version"):
        Cache(policies=Salted)  # type: ignore[arg-type]


def test_the_error_of_a_policy_names_it_and_the_task() -> None:
    with pytest.raises(CallError, match="KeyError") as caught:
        settings(Cache(policies=Broken()), ADD)
    assert "add" in caught.value.where
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_policy_without_a_function_is_refused() -> None:
    with pytest.raises(CallError, match="no function to look at"):
        settings(Cache(policies=FunctionSource()))


def test_function_source_follows_the_source_through_wrappers() -> None:
    policy = FunctionSource()

    @functools.wraps(add)
    def wrapped(*args: Any) -> Any:
        return add(*args)

    version = policy.get_version("", ADD)
    assert policy.get_version("", VersionParameters(func=wrapped)) == version
    assert policy.get_version("", VersionParameters(func=subtract)) != version
    assert policy.get_version("salt", ADD) != version


def test_function_source_without_source_says_what_to_do() -> None:
    made: dict[str, Any] = {}
    exec("def f(): return 1", made)
    with pytest.raises(CallError, match="source of f cannot be read"):
        settings(Cache(policies=FunctionSource()), VersionParameters(func=made["f"]))
