"""What every `PageStore` must do; `suites.stores` says how to use it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from alula._kits.records import replace
from alula.store.records import (
    Changes,
    Condition,
    Ending,
    ExecutionKey,
    ExpansionRecord,
    NewExecution,
    NodeRecord,
    Page,
    Plain,
)
from alula.store.store import Store
from alula.testing.suites.stores import CLOSING, NOW, OpenedStore, claimed, new, node

SECOND = timedelta(seconds=1)


SAME = (Condition("mode", "in", (0,)),)
"""What all have that say nothing else."""


def ordered(name: str, entity: str = "launch_plan:p:d:nightly:v1") -> NewExecution:
    flow = "workflow:p:d:pipeline:v1"
    asked = replace(new(name), entity=entity, workflow=flow, spec=b"spec", principal="ann", mode=4)
    return replace(asked, tags=("red", "b.lue"))


class PageStoreSuite(OpenedStore):
    """Conformance of a `PageStore`."""

    async def names(self, store: Store, *where: Condition, page: Page | None = None) -> list[str]:
        wanted = replace(page or Page(descending=False), where=where)
        return [record.key.name for _, record in await store.page_executions("p", "d", wanted)]

    async def test_executions_keep_what_was_said_when_they_were_asked_for(self, store: Store) -> None:
        await store.create(ordered("a"))
        [(_, record)] = await store.page_executions("p", "d", Page())
        assert (record.workflow, record.spec) == ("workflow:p:d:pipeline:v1", b"spec")
        assert (record.principal, record.mode, record.tags) == ("ann", 4, ("red", "b.lue"))
        assert (record.inputs, record.archived, record.state_at) == (b"", False, None)
        whole = await store.execution(record.key)
        assert (whole.inputs, whole.spec, whole.tags) == (b"inputs", b"spec", record.tags)

    async def test_a_listing_goes_on_where_the_last_page_ended(self, store: Store) -> None:
        made = [f"x{nth}" for nth in range(7)]
        for name in made:
            await store.create(new(name))
        for sort in ("created_at", "started_at", "updated_at", "duration", "name", "phase"):
            for descending, where in ((True, ()), (False, ()), (True, SAME), (False, SAME)):
                seen: list[str] = []
                page = Page(where, sort, descending, limit=3)
                while found := await store.page_executions("p", "d", page):
                    seen += [record.key.name for _, record in found]
                    page = replace(page, after=found[-1][0])
                assert seen == (made[::-1] if descending else made), sort

    async def test_each_place_has_its_own_executions(self, store: Store) -> None:
        await store.create(new("a"))
        await store.create(replace(new("b"), key=ExecutionKey("p", "other", "b")))
        assert await self.names(store) == ["a"]

    async def test_executions_are_found_by_any_column(self, store: Store) -> None:
        await store.commit(await claimed(store, "done"), CLOSING)
        failed = await claimed(store, "failed")
        await store.commit(failed, Changes(execution=Ending("failed", NOW, NOW + SECOND), closed=True))
        made, _ = await store.create(ordered("a-b"))

        async def found(column: str, test: str, value: Plain | tuple[Plain, ...]) -> list[str]:
            return await self.names(store, Condition(column, test, value))

        assert await found("phase", "in", ("failed",)) == ["failed"]
        assert await found("phase", "in", ("queued", "succeeded")) == ["done", "a-b"]
        assert await found("phase", "not_in", ("queued", "succeeded")) == ["failed"]
        assert await found("entity_name", "in", ("nightly",)) == ["a-b"]
        assert await found("workflow_name", "in", ("pipeline", "other")) == ["a-b"]
        assert await found("entity", "starts", "launch_plan:") == ["a-b"]
        assert await found("entity", "ends", ":v1") == ["done", "failed", "a-b"]
        assert await found("entity", "ends", ":v2") == []
        assert await found("name", "holds", "-") == ["a-b"]
        assert await found("tags", "holds", "\nb.lue\n") == ["a-b"]
        assert await found("tags", "holds", "\nlue\n") == []
        assert await found("mode", "gte", 4) == ["a-b"]
        assert await found("mode", "lt", 4) == ["done", "failed"]
        assert await found("duration", "gt", 1_000_000) == ["done"]
        assert await found("duration", "lte", 1_000_000) == ["failed", "a-b"]
        assert await self.names(store, Condition("principal", "in", ("ann",)), Condition("mode", "in", (4,))) == ["a-b"]
        in_pages = Page(descending=False, limit=1)
        both = Condition("phase", "in", ("queued", "succeeded"))
        assert await self.names(store, both, page=in_pages) == ["done"]
        assert made.mode == 4

    async def test_what_lies_directly_in_a_node_is_listed(self, store: Store) -> None:
        claim = await claimed(store)
        paths = ["", "n0", "n0-1", "n0/a", "n0/a/x", "n0/b", "n0[0]", "n0[0]/y", "n0[10]", "n1", "n1/a"]
        late = [replace(node(path), since=NOW + SECOND * nth) for nth, path in enumerate(reversed(paths))]
        await store.commit(claim, Changes(nodes=tuple(late)))

        async def inside(path: str, page: Page, *, elements: bool = False) -> list[str]:
            found = await store.page_nodes(claim.execution, path, page, elements=elements)
            return self.paths([row for _, row in found])

        by_path = Page(sort="path", descending=False)
        assert await inside("", by_path) == ["n0", "n0-1", "n1"]
        assert await inside("n0", by_path) == ["n0/a", "n0/b"]
        assert await inside("n0", by_path, elements=True) == ["n0[0]", "n0[10]"]
        assert await inside("n0/a", by_path) == ["n0/a/x"]
        assert await inside("", Page(descending=False)) == ["n1", "n0-1", "n0"]
        first = await store.page_nodes(claim.execution, "", Page(limit=1))
        assert await inside("", Page(after=first[0][0])) == ["n0-1", "n1"]
        named = await store.page_named(claim.execution, ["n1", "n0", "n2"], by_path)
        assert self.paths([row for _, row in named]) == ["n0", "n1"]
        rest = await store.page_named(claim.execution, ["n1", "n0"], replace(by_path, after=named[0][0]))
        assert rest == named[1:]
        failed = Condition("phase", "in", ("failed",))
        assert await inside("", replace(by_path, where=(failed,))) == []

    def paths(self, rows: Sequence[NodeRecord]) -> list[str]:
        return [row.path for row in rows]

    async def test_rows_are_read_many_at_once(self, store: Store) -> None:
        claim, other = await claimed(store), await claimed(store, "y")
        await store.commit(claim, Changes(nodes=(node(""), node("n0"), node("n1"))))
        assert dict(await store.nodes_at(claim.execution, ["n1", "n2"])) == {"n1": node("n1")}
        await store.commit(claim, Changes(expansions=(ExpansionRecord("n1", b"made"),)))
        assert set(await store.expanded(claim.execution, ["n0", "n1"])) == {"n1"}
        assert await store.expansion(claim.execution, "n1") == b"made"
        assert await store.expansion(claim.execution, "n0") is None
        both = [claim.execution, other.execution, 4711]
        assert dict(await store.roots(both)) == {claim.execution: node("")}
        keys = await store.keys(both)
        assert {id: key.name for id, key in keys.items()} == {claim.execution: "x", other.execution: "y"}

    async def test_executions_are_put_away_and_taken_out_again(self, store: Store) -> None:
        record, _ = await store.create(new())
        await store.archive(record.id, away=True, who="ann")
        put_away = await store.execution(record.key)
        assert (put_away.archived, put_away.state_by, put_away.state_at is None) == (True, "ann", False)
        assert await self.names(store, Condition("state", "in", (0,))) == []
        await store.archive(record.id, away=False, who="bob")
        assert await self.names(store, Condition("state", "in", (0,))) == ["x"]

    async def test_who_stopped_an_execution_first_counts(self, store: Store) -> None:
        record, _ = await store.create(new())
        await store.note_abort(record.id, "ann")
        await store.note_abort(record.id, "bob")
        assert (await store.execution(record.key)).aborted_by == "ann"
