"""What models share, and what executions are told: labels, notifications, roles."""

from __future__ import annotations

from alula.compat.model import Model as FlyteIdlEntity
from alula.compat.names import mirror
from alula.idl import admin


class NamedEntityIdentifier(FlyteIdlEntity, idl=admin.NamedEntityIdentifier, fields="project domain name"): ...


class AuthRole(FlyteIdlEntity, idl=admin.AuthRole, fields="assumable_iam_role kubernetes_service_account"): ...


class RawOutputDataConfig(FlyteIdlEntity, idl=admin.RawOutputDataConfig, fields="output_location_prefix"): ...


class EmailNotification(FlyteIdlEntity, idl=admin.EmailNotification, fields="recipients_email"): ...


class SlackNotification(FlyteIdlEntity, idl=admin.SlackNotification, fields="recipients_email"): ...


class PagerDutyNotification(FlyteIdlEntity, idl=admin.PagerDutyNotification, fields="recipients_email"): ...


class Notification(FlyteIdlEntity, idl=admin.Notification, fields="phases email pager_duty slack"): ...


class Labels(FlyteIdlEntity, idl=admin.Labels, fields="values"): ...


class Annotations(FlyteIdlEntity, idl=admin.Annotations, fields="values"): ...


class UrlBlob(FlyteIdlEntity, idl=admin.UrlBlob, fields="url bytes"): ...


class Envs(FlyteIdlEntity, idl=admin.Envs, fields="values"):
    """Environment variables of an execution."""


__getattr__, __dir__ = mirror(__name__, {})
