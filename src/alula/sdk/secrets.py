"""Secrets: which ones a task asks for, and how its code reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal, overload

from alula.errors import CallError, ConfigError
from alula.idl import Identity as IdentityMessage
from alula.idl import Secret as SecretMessage
from alula.idl import SecurityContext as SecurityContextMessage

_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_REMOTE_MARKS = ("FLYTE_INTERNAL_EXECUTION_ID", "_F_IMG_ID")
"""Set by the platform in every task container."""


@dataclass(frozen=True)
class Secret:
    """A secret that a task asks for: `@task(secret_requests=[Secret(group="db", key="password")])`.

    Args:
        group: Its name in the secret store; in Kubernetes, the name of the Secret.
        key: The entry within the group.
        group_version: Which version of the group.
        mount_requirement: Whether it comes as an environment variable or as a file.
        env_var: A further environment variable: holds the value, or for a FILE the path of the file.

    Raises:
        CallError: No group, or a name that no environment variable can have.
    """

    class MountType(IntEnum):
        """How a secret reaches the task. Source: flyteidl core/security.proto, Secret.MountType."""

        ANY = SecretMessage.ANY
        """As the platform sees fit."""
        ENV_VAR = SecretMessage.ENV_VAR
        FILE = SecretMessage.FILE

    group: str | None = None
    key: str | None = None
    group_version: str | None = None
    mount_requirement: MountType = MountType.ANY
    env_var: str | None = None

    def __post_init__(self) -> None:
        if not self.group:
            raise CallError(
                "a secret has no group",
                where=f"Secret(key={self.key!r})",
                fix=f"name the group that holds it: Secret(group='...', key={self.key!r})",
            )
        if self.env_var is not None and not _ENV_NAME.fullmatch(self.env_var):
            raise CallError(
                f"{self.env_var!r} cannot be the name of an environment variable",
                where=f"Secret(group={self.group!r}, key={self.key!r})",
                fix="use capital letters, digits and underscores, with no digit first",
            )

    def to_message(self) -> SecretMessage:
        return SecretMessage(
            group=self.group,
            group_version=self.group_version,
            key=self.key,
            mount_requirement=self.mount_requirement.name,
            env_var=self.env_var,
        )


MountType = Secret.MountType


@dataclass(frozen=True)
class Identity:
    """As whom a task or an execution runs."""

    iam_role: str | None = None
    k8s_service_account: str | None = None
    execution_identity: str | None = None

    def to_message(self) -> IdentityMessage:
        return IdentityMessage(
            iam_role=self.iam_role or "",
            k8s_service_account=self.k8s_service_account or "",
            execution_identity=self.execution_identity or "",
        )


@dataclass(frozen=True)
class SecurityContext:
    """As whom something runs, and which secrets it gets."""

    run_as: Identity | None = None
    secrets: Secret | Iterable[Secret] | None = None

    def __post_init__(self) -> None:
        if self.secrets is not None:
            alone = isinstance(self.secrets, Secret)
            object.__setattr__(self, "secrets", [self.secrets] if alone else list(self.secrets))  # type: ignore[arg-type]

    def to_message(self) -> SecurityContextMessage | None:
        """The message, or None when there is nothing to say."""
        if self.run_as is None and self.secrets is None:
            return None
        return SecurityContextMessage(
            run_as=self.run_as.to_message() if self.run_as else None,
            secrets=[secret.to_message() for secret in self.secrets or ()],  # type: ignore[union-attr]
        )


def security_context(secrets: Iterable[Secret] | None) -> SecurityContextMessage | None:
    """What a task that asks for `secrets` says to the platform; None without any.

    Raises:
        CallError: Something in the list is no Secret.
    """
    requested = list(secrets or ())
    for secret in requested:
        if not isinstance(secret, Secret):
            raise CallError(
                f"secret_requests takes Secret values, got {type(secret).__name__}: {secret!r:.80}",
                fix="write secret_requests=[Secret(group='...', key='...')]",
            )
    return SecurityContext(secrets=requested).to_message() if requested else None


class SecretsManager:
    """Reads secrets: `secrets.get("db", "password")` or `secrets.db.password`.

    It looks at the environment variable first (in a local run also without the prefix), then at the file.

    Args:
        local: Whether this is a local run; None: found out from the environment.
    """

    def __init__(self, *, local: bool | None = None) -> None:
        env = os.environ
        self._env_prefix = env.get("FLYTE_SECRETS_ENV_PREFIX", "_FSEC_").strip()
        self._directory = env.get("FLYTE_SECRETS_DEFAULT_DIR", "/etc/secrets").strip()
        self._file_prefix = env.get("FLYTE_SECRETS_FILE_PREFIX", "").strip()
        self._local = local if local is not None else not any(mark in env for mark in _REMOTE_MARKS)

    @overload
    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        encode_mode: Literal["r"] = "r",
    ) -> str: ...
    @overload
    def get(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None, *, encode_mode: str
    ) -> str | bytes: ...
    @overload
    def get(self, group: str | None, key: str | None, group_version: str | None, encode_mode: str) -> str | bytes: ...
    def get(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        encode_mode: str = "r",
    ) -> str | bytes:
        """The value of a secret: text without surrounding white space, or with `encode_mode="rb"` its exact bytes.

        Raises:
            ConfigError: It is in none of the places; the message names them all.
        """
        variable = self.get_secrets_env_var(group, key, group_version)
        plain = variable.removeprefix(self._env_prefix)
        for name in (variable, plain) if self._local else (variable,):
            value = os.environ.get(name)
            if value is not None:
                return value.encode() if "b" in encode_mode else value.strip()
        path = self.get_secrets_file(group, key, group_version)
        try:
            data = Path(path).read_bytes()
        except OSError as exc:
            asked = f"group={group!r}, key={key!r}" + (f", group_version={group_version!r}" if group_version else "")
            raise ConfigError(
                f"the secret {key!r} of the group {group!r} is in none of its places"
                + ("" if isinstance(exc, FileNotFoundError) else f": {exc.strerror}"),
                where=f"environment variable {variable}{f' or {plain}' if self._local else ''}, file {path}",
                fix=f"export {variable}=..., write that file, or on a platform add secret_requests=[Secret({asked})] "
                "to the @task",
            ) from exc
        return data if "b" in encode_mode else data.decode().strip()

    def get_secrets_env_var(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None
    ) -> str:
        """The environment variable that holds it."""
        return self._env_prefix + "_".join(_words(group, group_version, key)).upper()

    def get_secrets_file(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None
    ) -> str:
        """The file that holds it."""
        *folders, last = (word.lower() for word in _words(group, group_version, key))
        return os.path.join(self._directory, *folders, f"{self._file_prefix}{last}")

    def __getattr__(self, group: str) -> SecretGroup:
        if group.startswith("_"):
            raise AttributeError(group)  # protocol look-ups of copy, pickle and inspect; nobody reads this
        return SecretGroup(self, group)

    def __repr__(self) -> str:
        return f"SecretsManager(env_prefix={self._env_prefix!r}, directory={self._directory!r}, local={self._local})"


class SecretGroup:
    """The secrets of one group, as attributes."""

    def __init__(self, manager: SecretsManager, group: str) -> None:
        self._manager, self._group = manager, group

    def __getattr__(self, key: str) -> str:
        if key.startswith("__"):
            raise AttributeError(key)  # as above
        return self._manager.get(self._group, key)

    def __repr__(self) -> str:
        return f"SecretGroup({self._group!r})"


def _words(*parts: str | None) -> list[str]:
    words = [part for part in parts if part]
    if not words:
        raise CallError(
            "neither group nor key of the secret is given",
            where="secrets.get()",
            fix="write secrets.get('group', 'key')",
        )
    return words
