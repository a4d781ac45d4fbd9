from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from alula.errors import ConfigError, PluginError
from alula.hosting import registry
from alula.hosting.hosts import of_plugins
from alula.hosting.registry import Backends, Offer
from alula.idl import TaskTemplate
from alula.idl.routes import Route, write_route
from alula.plugin.context import TaskContext
from alula.plugin.core import PluginInfo, SyncPlugin
from alula.plugin.phase import PhaseInfo


@dataclass(frozen=True)
class Nested:
    host: str = "localhost"
    port: int = 1


@dataclass(frozen=True)
class LeftSettings:
    jobs: int = 3
    strict: bool = False
    every: timedelta = timedelta(seconds=5)
    names: tuple[str, ...] = ()
    places: dict[str, Nested] | None = None


class Left(SyncPlugin):
    info = PluginInfo("left", frozenset({"shared", "only-left"}), settings=LeftSettings)

    def __init__(self, settings: LeftSettings) -> None:
        self.settings = settings

    async def do(self, task: TaskContext) -> PhaseInfo:
        return PhaseInfo.succeeded()


class Right(SyncPlugin):
    info = PluginInfo("right", frozenset({"shared", "only-right"}))

    async def do(self, task: TaskContext) -> PhaseInfo:
        return PhaseInfo.succeeded()


class Shy(Right):
    info = PluginInfo("shy", frozenset({"only-right"}), opt_in=True)


def offer(plugin: Any, distribution: str = "acme 1.0") -> Offer:
    return Offer(plugin.info.name, f"acme:{plugin.__name__}", distribution, lambda: plugin)


def backends(**sections: Any) -> Backends:
    return Backends.of(sections, [offer(Left, "left-dist 1.0"), offer(Right, "right-dist 2.0")])


def test_a_type_goes_to_the_one_plugin_that_claims_it() -> None:
    assert backends().verdict("only-left").plugin == "left"
    assert backends().verdict("only-right").plugin == "right"
    assert backends().verdict("nobodys") == registry.Verdict()


def test_two_claims_without_a_route_name_both_distributions_and_the_line_to_add() -> None:
    problem = backends().verdict("shared").problem
    assert "left (left-dist 1.0) and right (right-dist 2.0)" in problem
    assert 'add `shared = "left"` or `shared = "right"` below [backends.routes]' in problem
    with pytest.raises(ConfigError, match="tasks of type 'shared' are claimed by left"):
        backends().check()


def test_a_route_decides() -> None:
    routed = backends(routes={"shared": "right"})
    assert routed.verdict("shared").plugin == "right"
    routed.check()


@pytest.mark.parametrize(
    ("route", "plugin", "problem"),
    [
        (Route(("gone", "right")), "right", ""),
        (Route(("workers",)), "workers", ""),
        (Route(("rigth",)), "", "to plugin 'rigth', which is not installed here; did you mean 'right'?"),
        (Route(("rigth",), or_usual=True), "left", ""),
    ],
)
def test_what_attributes_of_a_project_say_counts_before_the_routes(route: Route, plugin: str, problem: str) -> None:
    template = TaskTemplate(type="shared")
    write_route(template.config, route)
    found = backends(routes={"shared": "left"}).routed(template)
    assert found is not None
    assert (found.plugin, problem in found.problem) == (plugin, True)


@pytest.mark.parametrize(
    ("sections", "says"),
    [
        ({"routes": {"shared": "rigth"}}, "there is no plugin 'rigth'; did you mean 'right'?"),
        ({"routes": 3}, "takes lines such as"),
        ({"left": 3}, "[backends] left is 3: write [backends.left] and its keys below"),
    ],
)
def test_settings_that_name_nothing_are_refused(sections: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        backends(**sections)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"jbos": 3}, "[backends.left] has no key 'jbos'; did you mean 'jobs'?"),
        ({"jobs": "many"}, "[backends.left].jobs is 'many', and must be a whole number"),
        ({"places": {"a": {"port": "x"}}}, "[backends.left].places"),
    ],
)
def test_a_section_that_does_not_fit_says_which_key_and_what_it_takes(section: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        backends(left=section, routes={"shared": "left"}).check()
    assert says in str(refused.value)


def test_a_section_for_nobody_is_refused_when_everything_is_looked_at() -> None:
    with pytest.raises(ConfigError, match=r"\[backends.lefd\]: there is no such plugin; did you mean 'left'\?"):
        backends(lefd={}, routes={"shared": "left"}).check()


def test_a_plugin_is_made_with_its_settings() -> None:
    found = backends(left={"jobs": 7, "every": "2m", "names": ["a"], "places": {"a": {"port": 2}}}).make("left")
    assert isinstance(found, Left)
    assert found.settings == LeftSettings(7, False, timedelta(minutes=2), ("a",), {"a": Nested(port=2)})


def test_text_from_environment_variables_is_read_as_what_is_declared() -> None:
    found = backends(left={"jobs": "7", "strict": "yes", "names": "a, b", "every": "3s"}).make("left")
    assert isinstance(found, Left)
    assert found.settings == LeftSettings(7, True, timedelta(seconds=3), ("a", "b"))


def test_one_that_must_be_named_takes_nothing_until_it_is() -> None:
    offers = [offer(Right), offer(Shy)]
    assert Backends.of({}, offers).verdict("only-right").plugin == "right"
    assert "claimed by" in Backends.of({"shy": {}}, offers).verdict("only-right").problem
    assert Backends.of({"routes": {"only-right": "shy"}}, offers).verdict("only-right").plugin == "shy"


def test_one_that_cannot_be_imported_is_said_to_be_broken_and_hurts_nobody() -> None:
    def load() -> Any:
        raise ImportError("no module named acme")

    found = Backends.of({}, [offer(Right), Offer("bad", "acme:Bad", "acme 1.0", load)])
    assert [(one.name, one.problem) for one in found.broken()] == [("bad", "ImportError: no module named acme")]
    assert found.verdict("only-right").plugin == "right"


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (3, "is 3, not a class"),
        (object, "has no `info`"),
        (type("Other", (Right,), {"info": PluginInfo("other", frozenset())}), "calls itself 'other'"),
        (type("None_", (), {"info": PluginInfo("bad", frozenset())}), "is no plugin of a known kind"),
    ],
)
def test_what_is_no_plugin_is_named_with_what_is_wrong(made: Any, says: str) -> None:
    found = Backends.of({}, [Offer("bad", "acme:Bad", "acme 1.0", lambda: made)]).known("bad")
    assert says in found.problem


def test_an_import_that_takes_long_holds_up_no_other_and_counts_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "_IMPORT_SECONDS", 0.05)
    let_go = threading.Event()
    slow = type("Slow", (Right,), {"info": PluginInfo("slow", frozenset({"slow"}))})

    def load() -> Any:
        let_go.wait(10)
        return slow

    found = Backends.of({}, [Offer("slow", "acme:Slow", "acme 1.0", load), offer(Right)])
    assert [known.name for known in found.everything() if known.problem] == ["slow"]
    assert "its import has not ended within 0.05 s" in found.known("slow").problem
    with pytest.raises(PluginError, match="has not ended within"):
        found.make("slow")
    importing = [thread for thread in threading.enumerate() if thread.name == "alula-plugins"]
    let_go.set()
    for thread in importing:
        thread.join(10)
    assert found.known("slow").problem == ""
    assert found.verdict("slow").plugin == "slow"
    assert isinstance(found.make("slow"), slow)


def test_an_import_that_failed_is_tried_again_when_the_plugin_is_needed() -> None:
    faults = [OSError("too many open files")]

    def load() -> Any:
        if faults:
            raise faults.pop()
        return Right

    found = Backends.of({}, [Offer("right", "acme:Right", "acme 1.0", load)])
    assert found.known("right").problem == "too many open files"
    assert isinstance(found.make("right"), Right)
    assert found.known("right").problem == ""


def test_ours_are_offered_by_entry_points_like_those_of_others() -> None:
    names = {one.name for one in registry.installed()}
    assert {"workers", "slurm", "agent", "pod", "sql"} <= names
    found = Backends.of({})
    assert found.known("workers").kind == registry.RUNNER
    found.check()


def test_plugins_that_are_given_stand_for_themselves() -> None:
    given = of_plugins([Right, lambda: Left(LeftSettings(9))], {"routes": {"shared": "right"}})
    assert given.verdict("shared").plugin == "right"
    assert given.known("left").kind == "sync"


@pytest.mark.parametrize("exc", [SystemExit(3), KeyboardInterrupt()])
def test_one_that_wants_to_end_the_process_when_it_is_imported_is_broken_at_once(exc: BaseException) -> None:
    def load() -> Any:
        raise exc

    found = Backends.of({}, [Offer("bad", "acme:Bad", "acme 1.0", load), offer(Right)])
    assert type(exc).__name__ in found.known("bad").problem
    assert found.known("right").problem == ""


class Modest(Left):
    info = PluginInfo("modest", frozenset({"shared"}), settings=LeftSettings, gives_way=True, takes_rest="strict")


def with_modest(**sections: Any) -> Backends:
    return Backends.of(sections, [offer(Modest), offer(Right)])


def test_one_that_gives_way_runs_what_nobody_else_claims() -> None:
    assert with_modest().verdict("shared").plugin == "right"
    assert Backends.of({}, [offer(Modest)]).verdict("shared").plugin == "modest"


def test_one_that_gives_way_comes_first_if_it_alone_has_a_section() -> None:
    assert with_modest(modest={}).verdict("shared").plugin == "modest"
    assert with_modest(right={}).verdict("shared").plugin == "right"
    assert "claimed by" in with_modest(modest={}, right={}).verdict("shared").problem
    assert with_modest(modest={}, routes={"shared": "right"}).verdict("shared").plugin == "right"


def test_containers_go_to_pods_where_there_is_a_cluster_unless_docker_is_named() -> None:
    for type in ("container", "raw-container"):
        assert Backends.of({}).verdict(type).plugin == "docker"
        assert Backends.of({"k8s": {}}).verdict(type).plugin == "pod"
        assert Backends.of({"k8s": {}, "docker": {}}).verdict(type).plugin == "docker"
        assert "claimed by" in Backends.of({"pod": {}, "docker": {}}).verdict(type).problem
        assert Backends.of({"k8s": {}, "routes": {type: "docker"}}).verdict(type).plugin == "docker"


def test_what_the_workers_would_run_goes_to_the_plugin_whose_settings_say_so() -> None:
    assert with_modest().taker == ""
    assert with_modest(modest={}).taker == ""
    assert with_modest(modest={"strict": True}).taker == "modest"
    assert with_modest(modest={"strict": "perhaps"}).taker == ""
