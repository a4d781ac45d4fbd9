"""Projects as clients make, change and list them; launch plans that are active."""

from __future__ import annotations

import pytest

from alula.errors import NameTaken, RequestError, Unknown
from alula.idl.service import (
    ActiveLaunchPlanListRequest,
    ActiveLaunchPlanRequest,
    GetDomainRequest,
    LaunchPlanState,
    NamedEntityIdentifier,
    ObjectGetRequest,
    Project,
    ProjectGetRequest,
    ProjectListRequest,
    ProjectRegisterRequest,
    ResourceListRequest,
)
from alula.services.projects import ProjectCalls
from tests.unit.services.control import CALL, plan_id
from tests.unit.services.planned import Planned


async def calls() -> ProjectCalls:
    made = ProjectCalls((await Planned.made()).desk, ["development", "production"])
    for id in ("a", "b", "c"):
        await made.RegisterProject(ProjectRegisterRequest(project=Project(id=id, name=id.upper())), CALL)
    return made


async def test_a_project_has_all_domains_and_is_changed_but_not_made_twice() -> None:
    one = await calls()
    found = await one.GetProject(ProjectGetRequest(id="a"), CALL)
    assert (found.name, [domain.id for domain in found.domains]) == ("A", ["development", "production"])
    assert len((await one.GetDomains(GetDomainRequest(), CALL)).domains) == 2
    await one.UpdateProject(Project(id="a", description="said"), CALL)
    assert (await one.GetProject(ProjectGetRequest(id="a"), CALL)).name == "A"
    with pytest.raises(NameTaken):
        await one.RegisterProject(ProjectRegisterRequest(project=Project(id="a")), CALL)
    with pytest.raises(Unknown, match="there are: a, b, c"):
        await one.UpdateProject(Project(id="z"), CALL)
    bad = Project(id="Über", description="x" * 400)
    with pytest.raises(RequestError, match="2 faults"):
        await one.RegisterProject(ProjectRegisterRequest(project=bad), CALL)


async def test_lists_leave_out_what_is_archived_and_go_page_by_page() -> None:
    one = await calls()
    await one.UpdateProject(Project(id="b", state=Project.ARCHIVED), CALL)
    asked = ProjectListRequest(limit=1)
    first = await one.ListProjects(asked, CALL)
    asked.token = first.token
    second = await one.ListProjects(asked, CALL)
    assert [project.id for page in (first, second) for project in page.projects] == ["c", "a"]
    assert second.token == ""
    archived = await one.ListProjects(ProjectListRequest(filters="eq(state,1)"), CALL)
    assert [project.id for project in archived.projects] == ["b"]
    named = await one.ListProjects(ProjectListRequest(filters="eq(project.name,A)"), CALL)
    assert [project.id for project in named.projects] == ["a"]


async def test_one_version_of_a_launch_plan_is_active_and_clients_see_which() -> None:
    one = await Planned.made()
    for version in ("v1", "v2"):
        await one.register(version=version)
    name = NamedEntityIdentifier(project="p", domain="d", name="hourly")
    with pytest.raises(Unknown, match="no version of launch plan 'hourly' is active"):
        await one.plans.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=name), CALL)
    await one.activate(version="v1")
    await one.activate(version="v2")
    active = await one.plans.GetActiveLaunchPlan(ActiveLaunchPlanRequest(id=name), CALL)
    assert (active.id.version, active.closure.state) == ("v2", LaunchPlanState.ACTIVE)
    listed = await one.plans.ListLaunchPlans(ResourceListRequest(id=name, limit=9), CALL)
    assert {plan.id.version: plan.closure.state for plan in listed.launch_plans} == {"v1": 0, "v2": 1}
    asked = ActiveLaunchPlanListRequest(project="p", domain="d", limit=9)
    assert [plan.id.version for plan in (await one.plans.ListActiveLaunchPlans(asked, CALL)).launch_plans] == ["v2"]
    await one.activate(version="v1", active=False)
    await one.activate(version="v2", active=False)
    assert not (await one.plans.ListActiveLaunchPlans(asked, CALL)).launch_plans
    got = await one.plans.GetLaunchPlan(ObjectGetRequest(id=plan_id("hourly")), CALL)
    assert got.closure.state == LaunchPlanState.INACTIVE
