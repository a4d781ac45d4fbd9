"""What a stock engine does with an agent, through the generated stubs that flyteidl ships. Prints JSON.

Run by real flytekit's Python: `python stub_client.py HOST:PORT`.
"""

import json
import sys
import time

import grpc
from flyteidl.admin import agent_pb2
from flyteidl.core import identifier_pb2, literals_pb2, tasks_pb2
from flyteidl.core.execution_pb2 import TaskExecution
from flyteidl.service import agent_pb2_grpc
from google.protobuf import json_format, struct_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

channel = grpc.insecure_channel(sys.argv[1])
jobs = agent_pb2_grpc.AsyncAgentServiceStub(channel)
calls = agent_pb2_grpc.SyncAgentServiceStub(channel)
about = agent_pb2_grpc.AgentMetadataServiceStub(channel)
found = {}


def whole(value):
    scalar = literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=value))
    return literals_pb2.LiteralMap(literals={"a": literals_pb2.Literal(scalar=scalar)})


def attempt(name, number=0):
    run = identifier_pb2.WorkflowExecutionIdentifier(project="flytesnacks", domain="development", name=name)
    node = identifier_pb2.NodeExecutionIdentifier(node_id="n0", execution_id=run)
    made = identifier_pb2.TaskExecutionIdentifier(node_execution_id=node, retry_attempt=number)
    return agent_pb2.TaskExecutionMetadata(task_execution_id=made, namespace="flytesnacks-development")


def template(kind, custom):
    return tasks_pb2.TaskTemplate(type=kind, custom=json_format.ParseDict(custom, struct_pb2.Struct()))


def create(name, custom, number=0):
    return jobs.CreateTask(
        agent_pb2.CreateTaskRequest(
            inputs=whole(21),
            template=template("file_job", custom),
            output_prefix="memory://out",
            task_execution_metadata=attempt(name, number),
        )
    ).resource_meta


def get(meta):
    category = agent_pb2.TaskCategory(name="file_job", version=0)
    return jobs.GetTask(agent_pb2.GetTaskRequest(resource_meta=meta, task_category=category)).resource


def status_of(call):
    try:
        call()
    except grpc.RpcError as exc:
        return [exc.code().name, exc.details()]
    return ["OK", ""]


health = health_pb2_grpc.HealthStub(channel).Check(
    health_pb2.HealthCheckRequest(service="flyteidl.service.AsyncAgentService")
)
found["health"] = health_pb2.HealthCheckResponse.ServingStatus.Name(health.status)
found["agents"] = {
    agent.name: [agent.is_sync, [f"{one.name}@{one.version}" for one in agent.supported_task_categories]]
    for agent in about.ListAgents(agent_pb2.ListAgentsRequest()).agents
}
found["agent"] = about.GetAgent(agent_pb2.GetAgentRequest(name="file-jobs")).agent.name

meta = create("stock", {"seconds": 0.3})
found["again"] = create("stock", {"seconds": 0.3}) == meta
phases = []
while True:
    resource = get(meta)
    phases.append(TaskExecution.Phase.Name(resource.phase))
    if phases[-1] != "RUNNING":
        break
    found["shown"] = [resource.message, [link.name for link in resource.log_links], dict(resource.custom_info)]
    time.sleep(0.05)
found["phases"] = sorted(set(phases))
found["output"] = resource.outputs.literals["o0"].scalar.primitive.integer
failed = get(create("stock", {"mode": "fail"}, 1))
found["failed"] = [
    TaskExecution.Phase.Name(failed.phase),
    failed.message,
    failed.agent_error.code,
    agent_pb2.AgentError.Kind.Name(failed.agent_error.kind),
]
logs = list(
    jobs.GetTaskLogs(
        agent_pb2.GetTaskLogsRequest(resource_meta=meta, task_category=agent_pb2.TaskCategory(name="file_job"))
    )
)
found["logs"] = [line.message for part in logs for line in part.body.structured_lines]
for _ in range(2):
    jobs.DeleteTask(
        agent_pb2.DeleteTaskRequest(resource_meta=meta, task_category=agent_pb2.TaskCategory(name="file_job"))
    )
found["gone"] = status_of(lambda: get(meta))[0]
found["unknown"] = status_of(
    lambda: jobs.GetTask(agent_pb2.GetTaskRequest(task_category=agent_pb2.TaskCategory(name="nobody")))
)[0]
found["metrics"] = status_of(lambda: jobs.GetTaskMetrics(agent_pb2.GetTaskMetricsRequest()))[0]
found["rejected"] = status_of(lambda: create("stock", {"mode": "reject"}, 2))
found["misspelt"] = status_of(lambda: create("stock", {"second": 1}, 3))


def asked(value):
    header = agent_pb2.CreateRequestHeader(
        template=template("file_double", {}), task_execution_metadata=attempt("stock"), output_prefix="memory://out"
    )
    yield agent_pb2.ExecuteTaskSyncRequest(header=header)
    yield agent_pb2.ExecuteTaskSyncRequest(inputs=whole(value))


(answer,) = calls.ExecuteTaskSync(asked(5))
found["doubled"] = answer.header.resource.outputs.literals["o0"].scalar.primitive.integer
found["undoubled"] = status_of(lambda: list(calls.ExecuteTaskSync(asked(-5))))[0]
print(json.dumps(found))
