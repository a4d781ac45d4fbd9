"""The two catalogs, as an engine of somebody else uses them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from alula.admin.desk import Desk
from alula.data.stores import Objects
from alula.errors import NameTaken, RequestError, Unknown
from alula.idl import Duration, LiteralMap, literals
from alula.idl.catalog import cache, datacatalog
from alula.services.binding import Call
from alula.services.caches import Caches
from alula.services.catalogs import DataCatalog
from alula.store.memory import MemoryStore

CALL = Call()
ID = datacatalog.DatasetID(project="p", domain="d", name="flow.add", version="1-abc")
BEAT = Duration(seconds=5)


@pytest.fixture
def desk() -> Desk:
    return Desk(MemoryStore(), Objects(), "memory://data")


def artifact(id: str, *tags: str, **partitions: str) -> datacatalog.CreateArtifactRequest:
    made = datacatalog.Artifact(id=id, dataset=ID)
    made.data.add(name="o0", value=literals.integer(3))
    for key, value in partitions.items():
        made.partitions.add(key=key, value=value)
    for tag in tags:
        made.tags.add(name=tag, dataset=ID)
    return datacatalog.CreateArtifactRequest(artifact=made)


async def catalog_with(desk: Desk, *artifacts: datacatalog.CreateArtifactRequest) -> DataCatalog:
    made = DataCatalog(desk)
    await made.CreateDataset(datacatalog.CreateDatasetRequest(dataset=datacatalog.Dataset(id=ID)), CALL)
    for one in artifacts:
        await made.CreateArtifact(one, CALL)
    return made


async def test_an_artifact_is_found_by_its_id_and_by_its_tags(desk: Desk) -> None:
    catalog = await catalog_with(desk, artifact("a", "flyte_cached-1"))
    tag = datacatalog.Tag(name="later", artifact_id="a", dataset=ID)
    await catalog.AddTag(datacatalog.AddTagRequest(tag=tag), CALL)
    asks: list[dict[str, str]] = [{"artifact_id": "a"}, {"tag_name": "flyte_cached-1"}, {"tag_name": "later"}]
    for asked in asks:
        found = await catalog.GetArtifact(datacatalog.GetArtifactRequest(dataset=ID, **asked), CALL)  # type: ignore[arg-type]
        assert found.artifact.id == "a"
        assert {tag.name for tag in found.artifact.tags} == {"flyte_cached-1", "later"}
        assert found.artifact.created_at.seconds
    with pytest.raises(Unknown, match="no artifact 'nothing'"):
        await catalog.GetArtifact(datacatalog.GetArtifactRequest(dataset=ID, tag_name="nothing"), CALL)


async def test_what_says_no_artifact_or_no_length_of_time_is_refused(desk: Desk) -> None:
    catalog = await catalog_with(desk)
    with pytest.raises(RequestError, match="neither an id nor a tag"):
        await catalog.GetArtifact(datacatalog.GetArtifactRequest(dataset=ID), CALL)
    id = datacatalog.ReservationID(dataset_id=ID, tag_name="tag")
    endless = Duration(seconds=2**62)
    with pytest.raises(RequestError, match="heartbeat_interval"):
        await catalog.GetOrExtendReservation(
            datacatalog.GetOrExtendReservationRequest(reservation_id=id, owner_id="one", heartbeat_interval=endless),
            CALL,
        )
    with pytest.raises(RequestError, match="heartbeat_interval"):
        await Caches(desk).GetOrExtendReservation(
            cache.GetOrExtendReservationRequest(key="k", owner_id="one", heartbeat_interval=endless), CALL
        )


async def test_what_is_there_is_not_made_again(desk: Desk) -> None:
    catalog = await catalog_with(desk, artifact("a", "tag"))
    with pytest.raises(NameTaken):
        await catalog_with(desk)
    with pytest.raises(NameTaken):
        await catalog.CreateArtifact(artifact("b", "tag"), CALL)
    with pytest.raises(Unknown):
        await catalog.GetArtifact(datacatalog.GetArtifactRequest(dataset=ID, artifact_id="b"), CALL)


async def test_an_artifact_gets_other_data(desk: Desk) -> None:
    catalog = await catalog_with(desk, artifact("a", "tag"))
    data = [datacatalog.ArtifactData(name="o1")]
    await catalog.UpdateArtifact(datacatalog.UpdateArtifactRequest(dataset=ID, tag_name="tag", data=data), CALL)
    found = await catalog.GetArtifact(datacatalog.GetArtifactRequest(dataset=ID, artifact_id="a"), CALL)
    assert [one.name for one in found.artifact.data] == ["o1"]
    with pytest.raises(RequestError, match="without data"):
        await catalog.UpdateArtifact(datacatalog.UpdateArtifactRequest(dataset=ID, artifact_id="a"), CALL)


async def test_artifacts_are_listed_page_by_page_by_partition_and_by_tag(desk: Desk) -> None:
    many = [artifact(f"a{nth}", f"t{nth}", half="low" if nth < 5 else "high") for nth in range(10)]
    catalog = await catalog_with(desk, *many)

    async def listed(limit: int, *filters: dict[str, Any]) -> list[list[str]]:
        pages, after = [], ""
        while True:
            asked = datacatalog.ListArtifactsRequest(
                dataset=ID,
                filter=datacatalog.FilterExpression(filters=[datacatalog.SinglePropertyFilter(**f) for f in filters]),
                pagination=datacatalog.PaginationOptions(limit=limit, token=after),
            )
            found = await catalog.ListArtifacts(asked, CALL)
            pages.append([one.id for one in found.artifacts])
            after = found.next_token
            if not after:
                return pages

    order = await listed(100)
    assert sorted(order[0]) == [f"a{nth}" for nth in range(10)]
    assert [one for page in await listed(4) for one in page] == order[0]
    low = {"partition_filter": {"key_val": {"key": "half", "value": "low"}}}
    assert {one for page in await listed(2, low) for one in page} == {f"a{nth}" for nth in range(5)}
    assert await listed(9, {"tag_filter": {"tag_name": "t7"}}) == [["a7"]]
    assert await listed(9, {"tag_filter": {"tag_name": "t7"}}, low) == [[]]
    assert await listed(9, {"tag_filter": {"tag_name": "t7"}}, {"tag_filter": {"tag_name": "t8"}}) == [[]]
    by_name = datacatalog.FilterExpression(filters=[{"dataset_filter": {"name": "other"}}])  # type: ignore[list-item]
    assert not (await catalog.ListDatasets(datacatalog.ListDatasetsRequest(filter=by_name), CALL)).datasets
    assert len((await catalog.ListDatasets(datacatalog.ListDatasetsRequest(), CALL)).datasets) == 1


async def test_one_at_a_time_has_a_reservation(desk: Desk) -> None:
    catalog, id = await catalog_with(desk), datacatalog.ReservationID(dataset_id=ID, tag_name="tag")

    async def asks(owner: str) -> datacatalog.Reservation:
        asked = datacatalog.GetOrExtendReservationRequest(reservation_id=id, owner_id=owner, heartbeat_interval=BEAT)
        return (await catalog.GetOrExtendReservation(asked, CALL)).reservation

    first = await asks("one")
    assert (first.owner_id, first.heartbeat_interval) == ("one", BEAT)
    assert first.expires_at.ToDatetime() - desk.clock.now().replace(tzinfo=None) > timedelta(seconds=14)
    assert (await asks("two")).owner_id == "one"
    for owner in ("two", "one"):
        await catalog.ReleaseReservation(datacatalog.ReleaseReservationRequest(reservation_id=id, owner_id=owner), CALL)
        assert (await asks("three")).owner_id == ("one" if owner == "two" else "three")
    with pytest.raises(RequestError, match="owner_id"):
        await asks("")


async def test_outputs_are_kept_by_key_until_they_are_deleted(desk: Desk) -> None:
    service = Caches(desk)
    output = cache.CachedOutput(output_literals=LiteralMap())
    await service.Put(cache.PutCacheRequest(key="k", output=output), CALL)
    found = (await service.Get(cache.GetCacheRequest(key="k"), CALL)).output
    assert found.WhichOneof("output") == "output_literals"
    assert found.metadata.HasField("last_updated_at")
    later = cache.CachedOutput(output_uri="s3://bucket/outputs.pb")
    with pytest.raises(NameTaken):
        await service.Put(cache.PutCacheRequest(key="k", output=later), CALL)
    await service.Put(cache.PutCacheRequest(key="k", output=later, overwrite=True), CALL)
    assert (await service.Get(cache.GetCacheRequest(key="k"), CALL)).output.output_uri == later.output_uri
    for _ in range(2):
        await service.Delete(cache.DeleteCacheRequest(key="k"), CALL)
    with pytest.raises(Unknown):
        await service.Get(cache.GetCacheRequest(key="k"), CALL)
    with pytest.raises(RequestError, match="neither literals nor a URI"):
        await service.Put(cache.PutCacheRequest(key="k"), CALL)


async def test_one_at_a_time_makes_the_outputs_of_a_key(desk: Desk) -> None:
    service = Caches(desk)

    async def asks(owner: str) -> str:
        asked = cache.GetOrExtendReservationRequest(key="k", owner_id=owner, heartbeat_interval=BEAT)
        return (await service.GetOrExtendReservation(asked, CALL)).reservation.owner_id

    assert [await asks("one"), await asks("two"), await asks("one")] == ["one", "one", "one"]
    await service.ReleaseReservation(cache.ReleaseReservationRequest(key="k", owner_id="one"), CALL)
    assert await asks("two") == "two"
