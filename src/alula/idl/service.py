"""The wire of the control plane: every message of its services, the services themselves, and their paths over HTTP.

Loaded only by those who serve a control plane or call one: it takes a tenth of a second. Messages of the catalogs are
in `alula.idl.catalog`. Nothing here needs gRPC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flyteidl.admin.common_pb2 import *  # noqa: F403 - all messages of the services, some two hundred
from flyteidl.admin.description_entity_pb2 import *  # noqa: F403
from flyteidl.admin.event_pb2 import *  # noqa: F403
from flyteidl.admin.execution_pb2 import *  # noqa: F403
from flyteidl.admin.launch_plan_pb2 import *  # noqa: F403
from flyteidl.admin.matchable_resource_pb2 import *  # noqa: F403
from flyteidl.admin.node_execution_pb2 import *  # noqa: F403
from flyteidl.admin.project_attributes_pb2 import *  # noqa: F403
from flyteidl.admin.project_domain_attributes_pb2 import *  # noqa: F403
from flyteidl.admin.project_pb2 import *  # noqa: F403
from flyteidl.admin.schedule_pb2 import *  # noqa: F403
from flyteidl.admin.signal_pb2 import *  # noqa: F403
from flyteidl.admin.task_execution_pb2 import *  # noqa: F403
from flyteidl.admin.task_pb2 import *  # noqa: F403
from flyteidl.admin.version_pb2 import *  # noqa: F403
from flyteidl.admin.workflow_attributes_pb2 import *  # noqa: F403
from flyteidl.admin.workflow_pb2 import *  # noqa: F403
from flyteidl.service import admin_pb2 as _admin
from flyteidl.service import auth_pb2 as _auth
from flyteidl.service import dataproxy_pb2 as _dataproxy
from flyteidl.service import identity_pb2 as _identity
from flyteidl.service import signal_pb2 as _signal
from flyteidl.service.auth_pb2 import *  # noqa: F403
from flyteidl.service.dataproxy_pb2 import *  # noqa: F403
from flyteidl.service.identity_pb2 import *  # noqa: F403
from google.api import annotations_pb2 as _annotations
from google.protobuf import message_factory as _factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from alula.idl import catalog as _catalog

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for file in (_admin, _dataproxy, _signal, _auth, _identity, _catalog.datacatalog, _catalog.cache)
    for service in file.DESCRIPTOR.services_by_name.values()
)
"""What a control plane answers."""

ADMIN, DATA_PROXY, SIGNAL, AUTH_METADATA, IDENTITY, DATA_CATALOG, CACHE = (one.full_name for one in SERVICES)


@dataclass(frozen=True, slots=True)
class Route:
    """How a call is made over HTTP. Source: google/api/http.proto."""

    verb: str
    path: str
    """A template: `/api/v1/tasks/{id.project}`."""
    body: str
    """`*`: the request; a field of it; empty: none."""


def messages_of(method: MethodDescriptor) -> tuple[type[Message], type[Message]]:
    """What a call asks, and what it answers."""
    return _factory.GetMessageClass(method.input_type), _factory.GetMessageClass(method.output_type)


def routes_of(method: MethodDescriptor) -> Iterator[Route]:
    """The HTTP paths of a call, the main one first; none, if it has none."""
    options = method.GetOptions()
    if not options.HasExtension(_annotations.http):
        return
    main = options.Extensions[_annotations.http]
    for rule in (main, *main.additional_bindings):
        verb = rule.WhichOneof("pattern")
        if verb is not None and verb != "custom":
            yield Route(verb.upper(), getattr(rule, verb), rule.body)
