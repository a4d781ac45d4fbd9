"""What operators say about their cluster, in `[backends.k8s]`. All Kubernetes plugins share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from alula.errors import ConfigError
from alula.plugin.runner import AttemptId

DEVICE_LABEL = "k8s.amazonaws.com/accelerator"
PARTITION_LABEL = "k8s.amazonaws.com/gpu-partition-size"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """The connection to a cluster, and what every pod of ours gets there."""

    url: str = ""
    """Of the API server, with `token` or `token_file` and `ca_file`. Empty: `kubeconfig`, or the pod we run in."""
    token: str = field(default="", repr=False)
    token_file: str = ""
    """Read again every minute, since such tokens change."""
    ca_file: str = ""
    """Certificates that the API server's is signed by; empty: those of this machine."""
    kubeconfig: str = ""
    """Empty: what `KUBECONFIG` names, `~/.kube/config`, or the service account of the pod we run in."""
    context: str = ""
    """Of the kubeconfig; empty: its current one."""
    namespace: str = "{project}-{domain}"
    """Of the objects of an attempt; `{project}` and `{domain}` are put in."""
    create_namespace: bool = False
    """Make namespaces that are missing, for which we need the right to."""
    reads_per_second: float = 50.0
    writes_per_second: float = 20.0
    """Of creations, patches and deletions."""
    timeout: timedelta = timedelta(seconds=15)
    """For one request."""
    resync: timedelta = timedelta(minutes=10)
    """How often everything is listed anew, whatever the watch said."""
    silence: timedelta = timedelta(seconds=100)
    """A watch without a word for so long is opened anew; API servers send a bookmark every minute."""
    settle: timedelta = timedelta(seconds=2)
    """How long a creation whose answer was lost may still take effect."""
    grace: timedelta = timedelta(seconds=30)
    """Between SIGTERM and SIGKILL when an attempt is stopped."""
    finalizer: bool = False
    """Have objects stay, deleted by whomever, until we have seen their end."""
    log_bytes: int = 4 * 1024 * 1024
    """Of a container's log, from its start; the rest is cut off. 0: logs are left alone."""
    log_refresh: timedelta = timedelta(0)
    """How often the log of a container that runs is put with its attempt, for `alula logs --follow`; 0: at its end."""

    copilot_image: str = ""
    """An image with Alula in it, whose `alula-copilot` moves the files of raw containers."""
    copilot_resources: Mapping[str, str] = field(default_factory=lambda: {"cpu": "500m", "memory": "512Mi"})
    """Of the containers that do so: what they ask for, and the most they get."""
    copilot_timeout: timedelta = timedelta(hours=1)
    """For fetching all inputs of a task, and for putting away all its outputs."""
    lend_storage: bool = False
    """Whether containers that read and write object stores are lent short-lived credentials for what their attempt
    reads and writes, as variables in their pod; else they have those of the pod's service account."""

    service_account: str = ""
    """For tasks that name none; empty: the namespace's default."""
    image_pull_secrets: tuple[str, ...] = ()
    pod_template: str = ""
    """A `PodTemplate` in the attempt's namespace, or in `pod_template_namespace`, that all pods start from."""
    pod_template_namespace: str = ""
    requests: Mapping[str, str] = field(default_factory=lambda: {"cpu": "1", "memory": "1Gi"})
    """For tasks that ask for nothing."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """The most that a container may ask for. Tasks that ask for more are refused."""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    scheduler: str = ""
    interruptible_tolerations: tuple[Mapping[str, Any], ...] = ()
    interruptible_node_selector: Mapping[str, str] = field(default_factory=dict)
    interruptible_requirement: Mapping[str, Any] = field(default_factory=dict)
    """A node selector requirement (`key`, `operator`, `values`) for pods that may be interrupted."""
    steady_requirement: Mapping[str, Any] = field(default_factory=dict)
    """The same for pods that may not."""
    gpu_resource: str = "nvidia.com/gpu"
    """What `gpu` stands for in the resources of a task."""
    gpu_device_label: str = DEVICE_LABEL
    gpu_partition_label: str = PARTITION_LABEL

    def namespace_of(self, id: AttemptId) -> str:
        """Where the objects of an attempt live.

        Raises:
            ConfigError: The template of namespaces has other names in braces.
        """
        try:
            return self.namespace.format(project=id.project, domain=id.domain)
        except (KeyError, IndexError, ValueError) as exc:
            raise ConfigError(
                f"{self.namespace!r} is no template of namespaces: {exc}",
                where="[backends.k8s] namespace",
                fix="use {project} and {domain} in it, or neither",
            ) from exc
