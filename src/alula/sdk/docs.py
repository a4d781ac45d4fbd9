"""What is said about a task, workflow or execution for people and platforms: descriptions, labels, options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from alula.idl import admin
from alula.sdk.docstring import Doc
from alula.sdk.notify import Notification
from alula.sdk.secrets import Identity, SecurityContext


@dataclass(frozen=True)
class Description:
    """A long description, as text or as the URI of one."""

    class DescriptionFormat(IntEnum):
        """How the text is written. Source: flyteidl admin/description_entity.proto, DescriptionFormat."""

        UNKNOWN = 0
        MARKDOWN = 1
        HTML = 2
        RST = 3

    value: str | None = None
    uri: str | None = None
    icon_link: str | None = None
    format: DescriptionFormat = DescriptionFormat.RST

    def to_message(self) -> admin.Description:
        message = admin.Description(icon_link=self.icon_link or "", format=f"DESCRIPTION_FORMAT_{self.format.name}")
        if self.value:
            message.value = self.value
        elif self.uri:
            message.uri = self.uri
        return message


@dataclass(frozen=True)
class SourceCode:
    """Where the source can be read."""

    link: str | None = None

    def to_message(self) -> admin.SourceCode:
        return admin.SourceCode(link=self.link or "")


@dataclass(frozen=True)
class Documentation:
    """What a task or workflow is for: `@task(docs=Documentation(short_description="..."))`."""

    short_description: str | None = None
    long_description: Description | None = None
    source_code: SourceCode | None = None

    def to_message(self) -> admin.DescriptionEntity:
        return admin.DescriptionEntity(
            short_description=self.short_description or "",
            long_description=self.long_description.to_message() if self.long_description else None,
            source_code=self.source_code.to_message() if self.source_code else None,
        )


@dataclass(frozen=True)
class Labels:
    """Kubernetes labels of an execution."""

    values: dict[str, str] = field(default_factory=dict)

    def to_message(self) -> admin.Labels:
        return admin.Labels(values=self.values)


@dataclass(frozen=True)
class Annotations:
    """Kubernetes annotations of an execution."""

    values: dict[str, str] = field(default_factory=dict)

    def to_message(self) -> admin.Annotations:
        return admin.Annotations(values=self.values)


@dataclass(frozen=True)
class Options:
    """How a launch plan starts executions, or how one execution differs from that."""

    labels: Labels | None = None
    annotations: Annotations | None = None
    raw_output_data_config: admin.RawOutputDataConfig | None = None
    """`RawOutputDataConfig(output_location_prefix="s3://bucket/key")`: where blobs go."""
    security_context: SecurityContext | None = None
    max_parallelism: int | None = None
    """How many task nodes of an execution run at a time."""
    notifications: Sequence[Notification] | None = None
    disable_notifications: bool | None = None
    overwrite_cache: bool | None = None

    @classmethod
    def default_from(cls, k8s_service_account: str | None = None, raw_data_prefix: str | None = None) -> Options:
        """Options that only say as whom to run, or where blobs go."""
        identity = Identity(k8s_service_account=k8s_service_account) if k8s_service_account else None
        return cls(
            security_context=SecurityContext(run_as=identity) if identity else None,
            raw_output_data_config=admin.RawOutputDataConfig(output_location_prefix=raw_data_prefix)
            if raw_data_prefix
            else None,
        )


def description(docs: Documentation | None, doc: Doc) -> admin.DescriptionEntity:
    """What is said of a task or workflow: its `docs`, else its docstring."""
    if docs is not None:
        return docs.to_message()
    made = admin.DescriptionEntity(short_description=doc.short)
    made.long_description.CopyFrom(Description(value=doc.long).to_message())
    return made
