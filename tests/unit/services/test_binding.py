"""Every call is answered, or says why not."""

from __future__ import annotations

import pytest

from alula.errors import AlulaError, NotOffered
from alula.idl.service import ADMIN, IDENTITY, SERVICES, GetVersionRequest, GetVersionResponse, UserInfoRequest
from alula.services.binding import NOT_OFFERED, Call, bind


class Versions:
    async def GetVersion(self, request: GetVersionRequest, call: Call) -> GetVersionResponse:
        return GetVersionResponse()


class Misnamed:
    async def GetVersoin(self, request: GetVersionRequest, call: Call) -> GetVersionResponse:
        return GetVersionResponse()


class Elsewhere:
    service = IDENTITY

    async def UserInfo(self, request: UserInfoRequest, call: Call) -> GetVersionResponse:
        return GetVersionResponse()


async def test_a_method_answers_the_call_that_it_is_named_like() -> None:
    rpcs = {(rpc.service, rpc.name): rpc for rpc in bind([Versions(), Elsewhere()])}
    assert len(rpcs) == sum(len(service.methods) for service in SERVICES)
    version = rpcs[ADMIN, "GetVersion"]
    assert (version.asks, version.answers, version.reason) == (GetVersionRequest, GetVersionResponse, "")
    assert await version.answer(GetVersionRequest(), Call()) == GetVersionResponse()
    assert rpcs[IDENTITY, "UserInfo"].reason == ""


async def test_a_call_that_no_part_has_says_why() -> None:
    rpcs = {rpc.name: rpc for rpc in bind([])}
    with pytest.raises(NotOffered, match="only writer of what happens"):
        await rpcs["CreateNodeEvent"].answer(rpcs["CreateNodeEvent"].asks(), Call())
    with pytest.raises(NotOffered, match="GetTask is not offered"):
        await rpcs["GetTask"].answer(rpcs["GetTask"].asks(), Call())


def test_a_reason_is_given_for_calls_that_are_there_only() -> None:
    there = {f"{service.full_name}/{method.name}" for service in SERVICES for method in service.methods}
    assert set(NOT_OFFERED) <= there


@pytest.mark.parametrize(
    ("parts", "what"), [([Versions(), Versions()], "two parts answer"), ([Misnamed()], "GetVersoin")]
)
def test_a_mistake_in_a_part_is_found_at_the_start(parts: list[object], what: str) -> None:
    with pytest.raises(AlulaError, match=what):
        bind(parts)
