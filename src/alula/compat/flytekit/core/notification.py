"""Who is told when an execution has ended."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(__name__, {"alula.sdk.notify": "Notification Email PagerDuty Slack"})
