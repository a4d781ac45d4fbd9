"""What is needed before an object can be made: the operator's pod template, files, a namespace."""

from __future__ import annotations

from alula.data.layout import Attempt
from alula.errors import Rejected
from alula.hosting.k8s.answers import Refused
from alula.hosting.k8s.cluster import NAMESPACES, POD_TEMPLATES, Cluster
from alula.plugin import template as templates
from alula.plugin.context import TaskContext
from alula.plugin.k8s import Manifest


async def pod_template(cluster: Cluster, task: TaskContext, namespace: str) -> Manifest | None:
    """The pod template that a task names, or else that the operator set. None: there is none.

    Raises:
        Rejected: The task names one that is not there.
    """
    asked = task.template.metadata.pod_template_name
    name = asked or cluster.settings.pod_template
    if not name:
        return None
    for place in dict.fromkeys(filter(None, (namespace, cluster.settings.pod_template_namespace))):
        try:
            found = await cluster.request("GET", POD_TEMPLATES.path(place, name))
        except Refused as exc:
            if exc.status != 404:
                raise
        else:
            template: Manifest = found.get("template") or {}
            return template
    if not asked:
        return None
    raise Rejected(
        f"there is no pod template {name!r} in namespace {namespace}",
        where=task.template.id.name,
        fix=f"kubectl --namespace {namespace} get podtemplates; name one of them as pod_template_name",
    )


async def put_files(task: TaskContext, *, staged: bool) -> None:
    """Put what the containers will read to where they look for it.

    Args:
        staged: Some of them move the files of the task, for which they need its template.
    """
    await task.inputs_uri()
    if staged or templates.uses(templates.words_of(task.template), "TaskTemplatePath"):
        await task.objects.write(Attempt(task.output_prefix).template, task.template.SerializeToString())


async def made_namespace(cluster: Cluster, namespace: str, exc: Refused) -> bool:
    """Make the namespace that was missing, if that was it and we are to. Whether it is there now."""
    if exc.status != 404 or not cluster.settings.create_namespace or not str(exc.what).startswith("namespaces "):
        return False
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    try:
        await cluster.request("POST", NAMESPACES.path(""), body=body)
    except Refused as refused:
        if refused.reason != "AlreadyExists":
            raise
    return True
