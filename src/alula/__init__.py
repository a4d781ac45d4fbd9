"""Alula: typed tasks, composed into workflows, run anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alula._kits.lazy import exports

if TYPE_CHECKING:
    from alula.client.asynchronous import AsyncClient as AsyncClient
    from alula.client.synchronous import Client as Client
    from alula.errors import Recoverable as Recoverable
    from alula.idl.admin import ConcurrencyPolicy as ConcurrencyPolicy
    from alula.idl.admin import RawOutputDataConfig as RawOutputDataConfig
    from alula.sdk import accelerators as accelerators
    from alula.sdk.caching import Cache as Cache
    from alula.sdk.caching import CachePolicy as CachePolicy
    from alula.sdk.caching import VersionParameters as VersionParameters
    from alula.sdk.checkpoint import Checkpoint as Checkpoint
    from alula.sdk.conditional import conditional as conditional
    from alula.sdk.container import ContainerTask as ContainerTask
    from alula.sdk.current import Context as Context
    from alula.sdk.current import Deck as Deck
    from alula.sdk.current import current_context as current_context
    from alula.sdk.deck import DeckField as DeckField
    from alula.sdk.docs import Annotations as Annotations
    from alula.sdk.docs import Description as Description
    from alula.sdk.docs import Documentation as Documentation
    from alula.sdk.docs import Labels as Labels
    from alula.sdk.docs import Options as Options
    from alula.sdk.docs import SourceCode as SourceCode
    from alula.sdk.dynamic import dynamic as dynamic
    from alula.sdk.eager import eager as eager
    from alula.sdk.environment import Environment as Environment
    from alula.sdk.gate import approve as approve
    from alula.sdk.gate import sleep as sleep
    from alula.sdk.gate import wait_for_input as wait_for_input
    from alula.sdk.image import ImageSpec as ImageSpec
    from alula.sdk.launch_plan import LaunchPlan as LaunchPlan
    from alula.sdk.map import map_task as map_task
    from alula.sdk.node import create_node as create_node
    from alula.sdk.notify import Email as Email
    from alula.sdk.notify import PagerDuty as PagerDuty
    from alula.sdk.notify import Slack as Slack
    from alula.sdk.notify import WorkflowExecutionPhase as WorkflowExecutionPhase
    from alula.sdk.pod import PodTemplate as PodTemplate
    from alula.sdk.prebuilt import PrebuiltTask as PrebuiltTask
    from alula.sdk.prebuilt import TemplateExecutor as TemplateExecutor
    from alula.sdk.progress import progress as progress
    from alula.sdk.reference import get_reference_entity as get_reference_entity
    from alula.sdk.reference import reference_launch_plan as reference_launch_plan
    from alula.sdk.reference import reference_task as reference_task
    from alula.sdk.reference import reference_workflow as reference_workflow
    from alula.sdk.renderers import ImageRenderer as ImageRenderer
    from alula.sdk.renderers import MarkdownRenderer as MarkdownRenderer
    from alula.sdk.renderers import SourceCodeRenderer as SourceCodeRenderer
    from alula.sdk.renderers import TableRenderer as TableRenderer
    from alula.sdk.renderers import TopFrameRenderer as TopFrameRenderer
    from alula.sdk.resources import Resources as Resources
    from alula.sdk.schedules import CronSchedule as CronSchedule
    from alula.sdk.schedules import FixedRate as FixedRate
    from alula.sdk.schedules import OnSchedule as OnSchedule
    from alula.sdk.secrets import Identity as Identity
    from alula.sdk.secrets import Secret as Secret
    from alula.sdk.secrets import SecurityContext as SecurityContext
    from alula.sdk.signature import kwtypes as kwtypes
    from alula.sdk.task import task as task
    from alula.sdk.taskplugin import TaskPlugin as TaskPlugin
    from alula.sdk.workflow import ImperativeWorkflow
    from alula.sdk.workflow import WorkflowFailurePolicy as WorkflowFailurePolicy
    from alula.sdk.workflow import workflow as workflow
    from alula.tasks.shell import OutputLocation as OutputLocation
    from alula.tasks.shell import ShellTask as ShellTask
    from alula.tasks.sql import SQLTask as SQLTask
    from alula.tasks.sqlite import SQLite3Config as SQLite3Config
    from alula.tasks.sqlite import SQLite3Task as SQLite3Task
    from alula.types.directories import Directory as Directory
    from alula.types.errors import TaskError as TaskError
    from alula.types.files import File as File
    from alula.types.jsonlines import JSON as JSON
    from alula.types.pickle import Pickle as Pickle
    from alula.types.registry import Annotation as Annotation
    from alula.types.tabular import StructuredDataset as StructuredDataset
    from alula.types.transformer import HashMethod as HashMethod
    from alula.types.transformer import TypeTransformer as TypeTransformer

    Workflow = ImperativeWorkflow
    current = current_context

_NAMES = {
    "alula.client.asynchronous": "AsyncClient",
    "alula.client.synchronous": "Client",
    "alula.errors": "Recoverable",
    "alula.idl.admin": "ConcurrencyPolicy RawOutputDataConfig",
    "alula.sdk.caching": "Cache CachePolicy VersionParameters",
    "alula.sdk.checkpoint": "Checkpoint",
    "alula.sdk.conditional": "conditional",
    "alula.sdk.container": "ContainerTask",
    "alula.sdk.current": "Context Deck current_context",
    "alula.sdk.deck": "DeckField",
    "alula.sdk.docs": "Annotations Description Documentation Labels Options SourceCode",
    "alula.sdk.dynamic": "dynamic",
    "alula.sdk.eager": "eager",
    "alula.sdk.environment": "Environment",
    "alula.sdk.gate": "approve sleep wait_for_input",
    "alula.sdk.image": "ImageSpec",
    "alula.sdk.launch_plan": "LaunchPlan",
    "alula.sdk.map": "map_task",
    "alula.sdk.node": "create_node",
    "alula.sdk.notify": "Email PagerDuty Slack WorkflowExecutionPhase",
    "alula.sdk.pod": "PodTemplate",
    "alula.sdk.prebuilt": "PrebuiltTask TemplateExecutor",
    "alula.sdk.progress": "progress",
    "alula.sdk.reference": "get_reference_entity reference_launch_plan reference_task reference_workflow",
    "alula.sdk.renderers": "ImageRenderer MarkdownRenderer SourceCodeRenderer TableRenderer TopFrameRenderer",
    "alula.sdk.resources": "Resources",
    "alula.sdk.schedules": "CronSchedule FixedRate OnSchedule",
    "alula.sdk.secrets": "Identity Secret SecurityContext",
    "alula.sdk.signature": "kwtypes",
    "alula.sdk.task": "task",
    "alula.sdk.taskplugin": "TaskPlugin",
    "alula.sdk.workflow": "WorkflowFailurePolicy workflow",
    "alula.tasks.shell": "OutputLocation ShellTask",
    "alula.tasks.sql": "SQLTask",
    "alula.tasks.sqlite": "SQLite3Config SQLite3Task",
    "alula.types.directories": "Directory",
    "alula.types.errors": "TaskError",
    "alula.types.files": "File",
    "alula.types.jsonlines": "JSON",
    "alula.types.pickle": "Pickle",
    "alula.types.registry": "Annotation",
    "alula.types.tabular": "StructuredDataset",
    "alula.types.transformer": "HashMethod TypeTransformer",
}
"""Modules and the public names that they define; a module is imported when one of its names is first used."""
_RENAMED = {
    "Workflow": "alula.sdk.workflow:ImperativeWorkflow",
    "accelerators": "alula.sdk.accelerators:",
    "current": "alula.sdk.current:current_context",
}

_WHERE = {name: module for module, names in _NAMES.items() for name in names.split()} | _RENAMED
__all__ = sorted(_WHERE)  # pyright: ignore[reportUnsupportedDunderAll]
__getattr__, __dir__ = exports(__name__, _WHERE)
