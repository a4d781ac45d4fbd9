"""Which plugins there are, and which of them runs which type of task: entry points and settings in, a value out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from queue import Empty, Queue
from threading import Lock, RLock, Thread
from typing import Any

from alula._kits import lazy
from alula.errors import AlulaError, ConfigError, PluginError
from alula.hosting.adapting import CLUSTER, KINDS, kind_of
from alula.hosting.calls import BROKEN, said
from alula.hosting.k8s.settings import ClusterSettings
from alula.hosting.settings import settings
from alula.idl import TaskTemplate
from alula.idl.routes import read_route
from alula.plugin import schema
from alula.plugin.core import Plugin, PluginInfo

GROUP = "alula.backends"
ROUTES = "routes"
"""The section of routes, hence no name for a plugin."""
RUNNER = "runner"
"""The kind of what is a runner itself and needs no host: the workers."""
WORKERS = "workers"
_IMPORT_SECONDS = 10.0
_LATE = "its import has not ended within"


@dataclass(frozen=True, slots=True)
class Offer:
    """A plugin that is installed."""

    name: str
    value: str
    """Where it is: `module:Class`."""
    distribution: str
    load: Callable[[], Any]
    """Gives its class; raises PluginError."""


@dataclass(frozen=True, slots=True)
class Known:
    """A plugin whose class was imported, or could not be."""

    offer: Offer
    kind: str = ""
    """`core`, `webapi`, `k8s`, `sync`, `runner`; empty: unknown."""
    plugin: type[Plugin] | None = None
    info: PluginInfo | None = None
    problem: str = ""
    """Why it cannot be used."""
    make: Callable[..., Plugin] | None = None
    """What makes it, in place of its class."""

    @property
    def name(self) -> str:
        return self.offer.name

    @property
    def dynamic(self) -> bool:
        """It learns its task types while it runs."""
        return self.plugin is not None and self.plugin.accepts is not Plugin.accepts

    def __str__(self) -> str:
        return f"{self.name} ({self.offer.distribution})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who runs a type of task."""

    plugin: str = ""
    problem: str = ""
    """Why nobody does, in a sentence with a way out."""


@dataclass(slots=True)
class Backends:
    """The plugins of one engine. Classes are imported when they are first asked for.

    Args:
        offers: What is installed, by name.
        sections: What settings say of plugins, by name.
        routes: Types of task to names of plugins.
    """

    offers: Mapping[str, Offer]
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, Known] = field(default_factory=dict)
    _importing: RLock = field(default_factory=RLock)
    _taker: str | None = None

    @classmethod
    def of(cls, backends: Mapping[str, Any], offers: Sequence[Offer] | None = None) -> Backends:
        """The plugins that are installed, as `[backends]` configures them.

        Raises:
            ConfigError: Something there is no section, or names a plugin that is not installed.
        """
        found = {offer.name: offer for offer in (installed() if offers is None else offers)}
        routes = backends.get(ROUTES, {})
        faults = []
        if not isinstance(routes, Mapping) or not all(isinstance(name, str) for name in routes.values()):
            faults.append('[backends.routes] takes lines such as `spark = "spark-on-k8s"`')
            routes = {}
        sections: dict[str, Mapping[str, Any]] = {}
        for name, section in backends.items():
            if name == ROUTES:
                continue
            if not isinstance(section, Mapping):
                faults.append(f"[backends] {name} is {section!r}: write [backends.{name}] and its keys below")
            else:
                sections[_named(name, found)] = section
        for type, name in routes.items():
            if name not in found:
                faults.append(f"[backends.routes] {type}: there is no plugin {name!r}{_hint(name, found)}")
        if faults:
            raise ConfigError("; ".join(faults), fix="`alula plugin list` shows what is installed")
        return cls(found, sections, dict(routes))

    @property
    def imported(self) -> bool:
        """Whether all plugins are, so that nothing here takes long any more."""
        return len(self._known) >= len(self.offers)

    def known(self, name: str) -> Known:
        """A plugin by name; imports it. Never raises: what is wrong with it is said in `problem`."""
        with self._importing:
            if name not in self._known:
                self._import([name])
            return self._known[name]

    def everything(self) -> list[Known]:
        """All plugins, imported."""
        with self._importing:
            missing = [name for name in sorted(self.offers) if name not in self._known]
            while missing:
                missing = self._import(missing)
        return [self._known[name] for name in sorted(self.offers)]

    def _import(self, names: list[str]) -> list[str]:
        """Import plugins one after the other; one that takes too long is left until it is there. Gives the others that
        are left."""
        ended, late, lock = Queue[Known](), set[str](), Lock()

        def run() -> None:
            for name in names:
                known = _examined(self.offers[name])
                with lock:
                    if name in late:
                        self._known[name], self._taker = known, None
                        return
                    ended.put(known)

        Thread(target=run, name="alula-plugins", daemon=True).start()
        for at, name in enumerate(names):
            try:
                self._known[name] = ended.get(timeout=_IMPORT_SECONDS)
            except Empty:
                with lock:
                    if not ended.empty():
                        self._known[name] = ended.get_nowait()
                        continue
                    late.add(name)
                    what = f"{_LATE} {_IMPORT_SECONDS:g} s"
                    self._known[name] = Known(self.offers[name], problem=what)
                return names[at + 1 :]
        return []

    def section(self, known: Known) -> Mapping[str, Any] | None:
        """What settings say of a plugin; None: nothing."""
        name = (known.info.section if known.info is not None else "") or known.name
        return self.sections.get(name)

    def active(self, known: Known) -> bool:
        """Whether it takes tasks at all."""
        if known.info is None:
            return False
        named = self.section(known) is not None or known.name in self.routes.values()
        if known.kind == "k8s" and not known.info.opt_in:
            return named or CLUSTER in self.sections
        return named or not (known.info.opt_in or known.dynamic)

    def how(self, known: Known) -> str:
        """How a plugin is put to work that no settings name."""
        own = self._section_name(known)
        if known.kind == "k8s" and known.info is not None and not known.info.opt_in:
            return f"write [backends.{CLUSTER}] in alula.toml, or [backends.{own}]"
        return f"write [backends.{own}] in alula.toml, or a line below [backends.routes]"

    def idle(self, type: str) -> list[Known]:
        """Plugins that would run a type of task if settings named them."""
        found = [known for known in self.everything() if known.info is not None and not self.active(known)]
        return [known for known in found if known.info is not None and type in known.info.task_types]

    def broken(self) -> list[Known]:
        """Plugins that cannot be used, so that nobody knows what they would take."""
        return [known for known in self.everything() if known.problem]

    def claimants(self, type: str) -> list[Known]:
        """Who says that it runs a type of task, whatever the routes say."""
        found = [known for known in self.everything() if known.info is not None and self.active(known)]
        return [known for known in found if known.info is not None and type in known.info.task_types]

    def routed(self, template: TaskTemplate) -> Verdict | None:
        """Who runs a task whatever plugins say: as attributes of its project, or else `[backends.routes]`, have it."""
        said = read_route(template.config)
        if said is not None:
            for name in said.plugins:
                if name == WORKERS or name in self.offers:
                    return Verdict(name)
            if not said.or_usual:
                names = " or ".join(map(repr, said.plugins))
                return Verdict(
                    problem=f"PLUGIN_OVERRIDE attributes give tasks of type {template.type!r} to plugin {names}"
                    f", which is not installed here{_hint(said.plugins[0], {WORKERS: None, **self.offers})}"
                )
        return Verdict(self.routes[template.type]) if template.type in self.routes else None

    def verdict(self, type: str) -> Verdict:
        """Who runs a type of task. Imports all plugins, unless there is a route."""
        if type in self.routes:
            return Verdict(self.routes[type])
        claimants = self._in_turn(self.claimants(type))
        if len(claimants) == 1:
            return Verdict(claimants[0].name)
        if claimants:
            return Verdict(problem=_conflict(type, claimants))
        return Verdict()

    def _in_turn(self, claimants: list[Known]) -> list[Known]:
        """Of several that claim a type: without those that give way. One that does, and has a section of its own, comes
        before those that only the cluster's section, or none, has put to work."""
        modest = [one for one in claimants if one.info is not None and one.info.gives_way]
        named = [one for one in claimants if self.section(one) is not None]
        if len(claimants) < 2 or not modest:
            return claimants
        return named if any(one in modest for one in named) else [one for one in claimants if one not in modest]

    @property
    def taker(self) -> str:
        """The plugin that runs what the workers would; empty: they do. Imports all plugins, if there are sections."""
        if self._taker is None:
            everything = self.everything() if self.sections else []
            self._taker = next((one.name for one in everything if self._takes_rest(one)), "")
        return self._taker

    def _takes_rest(self, known: Known) -> bool:
        if known.info is None or not known.info.takes_rest or self.section(known) is None:
            return False
        try:
            return bool(getattr(self.settings(known), known.info.takes_rest))
        except ConfigError:  # `check` says so
            return False

    def faults_of(self, template: TaskTemplate) -> list[str]:
        """What is wrong with the config of a task, as the plugin declares it that would run it. Imports all plugins,
        unless there is a route. A task that nobody would run has no faults: that may change."""
        verdict = self.routed(template) or self.verdict(template.type)
        known = self.known(verdict.plugin) if verdict.plugin in self.offers else None
        return schema.faults_of(template, known.info) if known is not None and known.info is not None else []

    def check(self) -> None:
        """See that every type of task has one plugin, and every section fits. Imports all plugins.

        Raises:
            ConfigError: With every fault.
        """
        everything = self.everything()
        faults = [
            f"[backends.{name}]: there is no such plugin{_hint(name, self.offers)}"
            for name in self.sections
            if name not in {CLUSTER, *self.offers, *(self._section_name(known) for known in everything)}
        ]
        types = sorted({type for known in everything if known.info is not None for type in known.info.task_types})
        faults += [problem for type in types if (problem := self.verdict(type).problem)]
        for known in everything:
            if known.plugin is not None and self.active(known):
                try:
                    self.settings(known)
                except ConfigError as exc:
                    faults.append(exc.what)
        try:
            settings(self.sections.get(CLUSTER, {}), ClusterSettings, what=CLUSTER)
        except ConfigError as exc:
            faults.append(exc.what)
        if faults:
            raise ConfigError(
                "; ".join(faults), fix="`alula plugin list` shows what is installed, and docs/reference/config.md keys"
            )

    def _section_name(self, known: Known) -> str:
        return (known.info.section if known.info is not None else "") or known.name

    def settings(self, known: Known) -> Any:
        """The operator's settings of a plugin; None: it takes none. Raises ConfigError, with every fault."""
        assert known.info is not None
        name, kind = self._section_name(known), known.info.settings
        given = self.section(known) or {}
        if kind is None:
            if given:
                raise ConfigError(f"[backends.{name}] has keys, and plugin {known.name} takes none")
            return None
        return settings(given, kind, what=name)

    def make(self, name: str) -> Plugin:
        """A plugin's object. Raises PluginError, ConfigError, and whatever its constructor raises."""
        known = self.known(name)
        if known.problem and not known.problem.startswith(_LATE):  # what was in its way may be gone
            known = self._known[name] = _examined(self.offers[name])
        if known.problem or known.plugin is None:
            raise PluginError(known.problem or f"{name} is no plugin")
        lent = self.settings(known)
        maker: Any = known.make or known.plugin
        made: Plugin = maker() if lent is None else maker(lent)
        return made


def installed() -> list[Offer]:
    """What the entry points of `alula.backends` offer, each name once."""
    found: dict[str, list[Any]] = {}
    for point in lazy.installed(GROUP):
        found.setdefault(point.name, []).append(point)
    return [_offer(name, points) for name, points in sorted(found.items())]


def _offer(name: str, points: list[Any]) -> Offer:
    owners = " and ".join(lazy.distribution(point) for point in points)
    return Offer(name, points[0].value, owners, lambda: lazy.load(GROUP, name))


def _examined(offer: Offer) -> Known:
    """A plugin, imported."""
    try:
        made = offer.load()
        kind = kind_of(made)
        info = getattr(made, "info", None)
        if not isinstance(made, type):
            raise PluginError(f"{offer.value} is {made!r}, not a class")
        if not isinstance(info, PluginInfo):
            raise PluginError(f"{offer.value} has no `info`: set `info = PluginInfo(...)` in the class")
        if info.name != offer.name:
            raise PluginError(f"{offer.value} calls itself {info.name!r}, and its entry point {offer.name!r}")
        if not kind and not hasattr(made, "start"):
            kinds = ", ".join(name for _, name in KINDS)
            raise PluginError(f"{offer.value} is no plugin of a known kind: derive it from one of {kinds}")
    except BROKEN as exc:  # the border to someone else's module, which may raise anything
        what = exc.what if isinstance(exc, AlulaError) else said(exc)
        return Known(offer, problem=what)
    return Known(offer, kind or RUNNER, made if kind else None, info)


def _conflict(type: str, claimants: Sequence[Known]) -> str:
    names = " and ".join(map(str, claimants))
    lines = " or ".join(f'`{_quoted(type)} = "{known.name}"`' for known in claimants)
    return f"tasks of type {type!r} are claimed by {names}: add {lines} below [backends.routes]"


def _quoted(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() else f'"{key}"'


def _named(name: str, offers: Mapping[str, Offer]) -> str:
    """The plugin that a section is meant for: names of variables have no hyphens."""
    return next((other for other in offers if other.replace("-", "_") == name.replace("-", "_")), name)


def _hint(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(sorted(known)) or 'none'}"
