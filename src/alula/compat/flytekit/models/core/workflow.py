"""flytekit's models of nodes and workflows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from alula import idl
from alula.compat.flytekit.models.literals import RetryStrategy
from alula.compat.model import Model, constants
from alula.compat.names import mirror


class IfBlock(Model, idl=idl.IfBlock, fields="condition then_node"): ...


class IfElseBlock(Model, idl=idl.IfElseBlock, fields="case other else_node error"): ...


class BranchNode(Model, idl=idl.BranchNode, fields="if_else"): ...


class NodeMetadata(
    Model,
    idl=idl.NodeMetadata,
    fields="name timeout retries interruptible cacheable cache_version cache_serializable",
):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fill()

    @classmethod
    def from_flyte_idl(cls, pb2_object: Any) -> Any:
        made = super().from_flyte_idl(pb2_object)
        made._fill()
        return made

    def _fill(self) -> None:
        """A node without limits says so."""
        fields = vars(self)
        fields["timeout"] = timedelta(0) if fields["timeout"] is None else fields["timeout"]
        fields["retries"] = RetryStrategy(0) if fields["retries"] is None else fields["retries"]


class SignalCondition(Model, idl=idl.SignalCondition, fields="signal_id type output_variable_name"): ...


class ApproveCondition(Model, idl=idl.ApproveCondition, fields="signal_id"): ...


class SleepCondition(Model, idl=idl.SleepCondition, fields="duration"): ...


class GateNode(Model, idl=idl.GateNode, fields="signal sleep approve"): ...


class ArrayNode(
    Model,
    idl=idl.ArrayNode,
    fields="node parallelism min_successes min_success_ratio execution_mode is_original_sub_node_interface data_mode "
    "bound_inputs run_all_sub_nodes",
): ...


class Alias(Model, idl=idl.Alias, fields="var alias"): ...


class TaskNodeOverrides(
    Model, idl=idl.TaskNodeOverrides, fields="resources extended_resources container_image pod_template"
): ...


class TaskNode(Model, idl=idl.TaskNode, fields="reference_id overrides"): ...


class WorkflowNode(Model, idl=idl.WorkflowNode, fields="launchplan_ref sub_workflow_ref"):
    @property
    def reference(self) -> Any:
        return self.launchplan_ref or self.sub_workflow_ref


class Node(
    Model,
    idl=idl.Node,
    fields="id metadata inputs upstream_node_ids output_aliases task_node workflow_node branch_node gate_node "
    "array_node",
):
    @property
    def target(self) -> Any:
        return self.task_node or self.workflow_node or self.branch_node


class WorkflowMetadata(Model, idl=idl.WorkflowMetadata, fields="on_failure"):
    OnFailurePolicy = constants(idl.WorkflowMetadata.OnFailurePolicy, "What a failed node does to the rest.")


class WorkflowMetadataDefaults(Model, idl=idl.WorkflowMetadataDefaults, fields="interruptible"): ...


class WorkflowTemplate(
    Model, idl=idl.WorkflowTemplate, fields="id metadata metadata_defaults interface nodes outputs failure_node"
): ...


__getattr__, __dir__ = mirror(__name__, {})
