"""Messages of the control plane (flyteidl.admin), loaded only by those who talk to one."""

from flyteidl.admin.common_pb2 import (
    Annotations,
    AuthRole,
    EmailNotification,
    Envs,
    Labels,
    NamedEntityIdentifier,
    Notification,
    PagerDutyNotification,
    RawOutputDataConfig,
    SlackNotification,
    UrlBlob,
)
from flyteidl.admin.description_entity_pb2 import Description, DescriptionEntity, SourceCode
from flyteidl.admin.launch_plan_pb2 import (
    ConcurrencyLimitBehavior,
    ConcurrencyPolicy,
    LaunchPlan,
    LaunchPlanClosure,
    LaunchPlanMetadata,
    LaunchPlanSpec,
)
from flyteidl.admin.schedule_pb2 import CronSchedule, FixedRate, FixedRateUnit, Schedule
from flyteidl.admin.task_pb2 import TaskSpec
from flyteidl.admin.workflow_pb2 import WorkflowSpec

__all__ = [
    "Annotations",
    "AuthRole",
    "ConcurrencyLimitBehavior",
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
    "LaunchPlanClosure",
    "LaunchPlanMetadata",
    "LaunchPlanSpec",
    "NamedEntityIdentifier",
    "Notification",
    "PagerDutyNotification",
    "RawOutputDataConfig",
    "Schedule",
    "SlackNotification",
    "SourceCode",
    "TaskSpec",
    "UrlBlob",
    "WorkflowSpec",
]
