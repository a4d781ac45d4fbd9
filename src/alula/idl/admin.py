"""Messages of the control plane (flyteidl.admin), loaded only by those who talk to one."""

from flyteidl.admin.common_pb2 import (
    Annotations,
    AuthRole,
    EmailNotification,
    Envs,
    Labels,
    Notification,
    PagerDutyNotification,
    RawOutputDataConfig,
    SlackNotification,
)
from flyteidl.admin.description_entity_pb2 import Description, DescriptionEntity, SourceCode
from flyteidl.admin.launch_plan_pb2 import (
    ConcurrencyPolicy,
    LaunchPlan,
    LaunchPlanMetadata,
    LaunchPlanSpec,
)
from flyteidl.admin.schedule_pb2 import CronSchedule, FixedRate, FixedRateUnit, Schedule
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec

__all__ = [
    "Annotations",
    "AuthRole",
    "ConcurrencyPolicy",
    "CronSchedule",
    "Description",
    "DescriptionEntity",
    "EmailNotification",
    "Envs",
    "FixedRate",
    "FixedRateUnit",
    "Labels",
    "LaunchPlan",
    "LaunchPlanMetadata",
    "LaunchPlanSpec",
    "Notification",
    "PagerDutyNotification",
    "RawOutputDataConfig",
    "Schedule",
    "SlackNotification",
    "SourceCode",
    "TaskSpec",
    "WorkflowSpec",
]
