"""Answers to the gates of an execution at a control plane, given while the command waits for its end."""

from __future__ import annotations

from collections.abc import Mapping

import click

from alula.cli.submit import answer
from alula.client.remote import Remote
from alula.idl import WorkflowExecutionIdentifier
from alula.idl.service import SIGNAL, Signal, SignalListRequest, SignalSetRequest
from alula.idl.types import type_text

_MANY = 100


class Gates:
    """The gates of one execution.

    Args:
        answers: By gate, as they stand on the command line.
    """

    def __init__(self, remote: Remote, id: WorkflowExecutionIdentifier, answers: Mapping[str, str]) -> None:
        self._remote, self._id, self._answers = remote, id, answers
        self._seen: set[str] = set()

    def attend(self, *, quiet: bool) -> None:
        """Answer those that wait, and name those for which there is no answer, each once.

        Raises:
            ConfigError: A gate does not take its answer.
            RequestError: The control plane refuses it.
            RemoteError: It does not answer.
        """
        for signal in self._waiting():
            gate = signal.id.signal_id
            self._seen.add(gate)
            if gate in self._answers:
                given = SignalSetRequest(id=signal.id, value=answer(gate, self._answers[gate], {gate: signal.type}))
                self._remote.call("SetSignal", given, service=SIGNAL)
                if not quiet:
                    click.echo(f"{click.style('✓', fg='green')} answered gate {gate}", err=True)
            else:
                click.echo(f"gate {gate} waits for an answer ({type_text(signal.type)}):", err=True)
                click.echo(f"  give the same command with --name {self._id.name} --answer {gate}=VALUE", err=True)

    def _waiting(self) -> list[Signal]:
        """Those that nobody has answered, and that are new here."""
        found: list[Signal] = []
        asked = SignalListRequest(workflow_execution_id=self._id, limit=_MANY)
        while True:
            page = self._remote.call("ListSignals", asked, service=SIGNAL)
            found += [one for one in page.signals if not one.HasField("value") and one.id.signal_id not in self._seen]
            if not page.token:
                return found
            asked.token = page.token
