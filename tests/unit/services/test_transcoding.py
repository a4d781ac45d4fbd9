"""Requests out of paths, queries and bodies."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula.errors import RequestError
from alula.idl import ResourceType
from alula.idl.service import NamedEntityUpdateRequest, ObjectGetRequest, ResourceListRequest, Sort
from alula.services.binding import bind
from alula.services.openapi import document
from alula.services.transcoding import Table, request_of, shown

TABLE = Table(bind([]))
TASK = "/api/v1/tasks/p/d/flow.add/v1"


def asked(verb: str, raw: str, query: list[tuple[str, str]] | None = None, body: Any = None) -> Any:
    found = TABLE.find(verb, raw)
    assert found is not None
    return request_of(found[0], found[1], query or [], body)


@given(*[st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"]))] * 4)
def test_a_path_gives_the_fields_of_its_request(project: str, domain: str, name: str, version: str) -> None:
    raw = "/api/v1/tasks/" + "/".join(quote(one, safe="") for one in (project, domain, name, version))
    request = asked("GET", raw)
    assert isinstance(request, ObjectGetRequest)
    id = request.id
    assert (id.project, id.domain, id.name, id.version) == (project, domain, name, version)


def test_a_query_gives_the_rest() -> None:
    query = [("limit", "7"), ("sort_by.key", "name"), ("sortBy.direction", "ASCENDING"), ("id.name", "flow.add")]
    request = asked("GET", "/api/v1/tasks/p/d", query)
    assert isinstance(request, ResourceListRequest)
    assert (request.limit, request.sort_by.key, request.sort_by.direction) == (7, "name", Sort.ASCENDING)
    assert (request.id.project, request.id.name) == ("p", "flow.add")


def test_the_path_counts_more_than_the_body() -> None:
    body = {"id": {"project": "other", "name": "other"}, "metadata": {"description": "adds"}}
    request = asked("PUT", "/api/v1/named_entities/TASK/p/d/flow.add", body=body)
    assert isinstance(request, NamedEntityUpdateRequest)
    assert (request.resource_type, request.id.project, request.id.name) == (ResourceType.TASK, "p", "flow.add")
    assert request.metadata.description == "adds"


def test_the_path_counts_more_than_a_body_of_bytes() -> None:
    body = NamedEntityUpdateRequest(id={"project": "other"}, metadata={"description": "adds"})  # type: ignore[arg-type]
    request = asked("PUT", "/api/v1/named_entities/TASK/p/d/flow.add", body=body.SerializeToString())
    assert (request.id.project, request.id.name, request.metadata.description) == ("p", "flow.add", "adds")
    with pytest.raises(RequestError, match=r"is no flyteidl\.admin\.TaskCreateRequest"):
        asked("POST", "/api/v1/tasks", body=b"\xff\xff")


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ([("nothing", "1")], "has no field 'nothing'"),
        ([("limit", "x")], "limit"),
        ([("limit", "1"), ("limit", "2")], "given twice"),
        ([("sort_by", "x")], "name a field of it"),
        ([("limit.x", "1")], "has no fields"),
        ([("sort_by.direction", "SIDEWAYS")], "direction"),
    ],
)
def test_a_query_that_cannot_be_read_says_what_is_wrong(query: list[tuple[str, str]], what: str) -> None:
    with pytest.raises(RequestError, match=what):
        asked("GET", "/api/v1/tasks/p/d", query)


@pytest.mark.parametrize("body", [[], "text", 7, {"id": 3}, {"spec": {"template": {"nothing": 1}}}])
def test_a_body_that_is_no_message_says_so(body: Any) -> None:
    with pytest.raises(RequestError, match="cannot be read"):
        asked("POST", "/api/v1/tasks", body=body)


def test_paths_are_found_by_what_is_written_out_first() -> None:
    found = TABLE.find("GET", "/api/v1/data/executions/p/d/n")
    assert found is not None
    assert found[0].rpc.name == "GetExecutionData"
    assert TABLE.find("PUT", TASK) is None
    assert TABLE.verbs(TASK) == ["GET"]
    assert TABLE.verbs("/api/v1/nothing/at/all") == []


def test_an_answer_shows_what_is_empty_too() -> None:
    assert shown(ResourceListRequest(limit=3)) == {"limit": 3, "token": "", "filters": ""}


def test_the_description_lists_what_is_offered_only() -> None:
    assert document(TABLE.paths)["paths"] == {}
    offered = Table([rpc for rpc in bind([_Version()]) if not rpc.reason])
    found = document(offered.paths)
    assert list(found["paths"]) == ["/api/v1/version"]
    assert found["paths"]["/api/v1/version"]["get"]["operationId"] == "GetVersion"
    assert "flyteidl.admin.GetVersionResponse" in found["components"]["schemas"]


def test_what_is_described_is_where_it_is_said_to_be() -> None:
    paths = document(Table([replace(rpc, reason="") for rpc in bind([])]).paths)["paths"]
    assert "/.well-known/oauth-authorization-server" in paths
    said = [
        (verb.upper(), re.sub(r"\{\w+\}", "x", path), calls[verb]) for path, calls in paths.items() for verb in calls
    ]
    for verb, path, operation in said:
        found = TABLE.find(verb, path)
        assert found is not None, path
        assert operation["operationId"].partition("_")[0] == found[0].rpc.name


class _Version:
    async def GetVersion(self, request: Any, call: Any) -> Any:
        raise NotImplementedError
