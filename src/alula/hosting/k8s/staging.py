"""The files of raw containers in pods: who fetches inputs before the task and puts outputs away after it; pure.

The containers of such a pod run strictly one after the other, which every version of Kubernetes can do:

    initContainers: [..., alula-download, the task]      containers: [alula-upload]

An init container that fails ends the pod, so a task whose inputs cannot be had never starts. Other containers of the
task's pod run beside it as sidecars, and end with it. A file `_ERROR` among the outputs is the task's termination
message: it is there whatever the exit code.
"""

from __future__ import annotations

from alula.containers.files.copilot import Errand
from alula.containers.files.places import COPILOTS, ERROR, Folders, folders
from alula.data.layout import Attempt
from alula.errors import Rejected, TaskFailure
from alula.hosting.k8s.settings import ClusterSettings
from alula.idl import TaskTemplate
from alula.plugin.context import TaskContext
from alula.plugin.k8s import Manifest

_DOWNLOAD, _UPLOAD = COPILOTS
_INPUTS, _OUTPUTS = "alula-inputs", "alula-outputs"


def stage(task: TaskContext, settings: ClusterSettings, spec: Manifest, primary: str) -> bool:
    """Have the files of a task moved by its pod, in place. Whether there are any.

    Raises:
        Rejected: There are, and the operator has named no image that could move them.
    """
    inside = _folders(task.template)
    mine = next(one for one in spec["containers"] if one["name"] == primary)
    if inside.outputs:
        mine.setdefault("terminationMessagePath", f"{inside.outputs}/{ERROR}")
    puts_away = bool(inside.outputs and task.template.interface.outputs.variables)
    if not (inside.inputs or puts_away):
        return False
    if not settings.copilot_image:
        raise Rejected(
            f"container task '{task.template.id.name}' has its inputs or outputs as files, and no image is set that "
            "could move them",
            where="[backends.k8s] copilot_image",
            fix="set it to an image that has Alula installed, of the same version as this engine",
        )
    before = list(spec.get("initContainers") or ())
    if inside.inputs:
        mount = _mounted(spec, mine, _INPUTS, inside.inputs)
        before.append(_copilot(_DOWNLOAD, _download(task, settings, inside), settings, mount))
    before += [{**one, "restartPolicy": "Always"} for one in spec["containers"] if one is not mine]
    last = mine
    if puts_away:
        mount = _mounted(spec, mine, _OUTPUTS, inside.outputs)
        last = _copilot(_UPLOAD, _upload(task, settings, inside), settings, mount)
        before.append(mine)
    spec["initContainers"], spec["containers"] = before, [last]
    return True


def movers(spec: Manifest) -> list[Manifest]:
    """The containers of a pod that move the files of its task."""
    return [one for one in (*spec["containers"], *spec.get("initContainers", ())) if one.get("name") in COPILOTS]


def is_staged(pod: Manifest) -> bool:
    """Whether a pod moves the files of its task."""
    return bool(movers(pod["spec"]))


def _folders(template: TaskTemplate) -> Folders:
    try:
        return folders(template)
    except TaskFailure as exc:
        raise Rejected(exc.what, where=exc.where, fix=exc.fix, code=exc.code) from exc


def _download(task: TaskContext, settings: ClusterSettings, inside: Folders) -> Errand:
    files = Attempt(task.output_prefix)
    seconds = settings.copilot_timeout.total_seconds()
    return Errand("download", files.template, files.prefix, inside.inputs, inputs=files.inputs, timeout=seconds)


def _upload(task: TaskContext, settings: ClusterSettings, inside: Folders) -> Errand:
    files = Attempt(task.output_prefix)
    seconds = settings.copilot_timeout.total_seconds()
    return Errand("upload", files.template, files.prefix, inside.outputs, raw_prefix=task.raw_prefix, timeout=seconds)


def _copilot(name: str, errand: Errand, settings: ClusterSettings, mount: Manifest) -> Manifest:
    made: Manifest = {
        "name": name,
        "image": settings.copilot_image,
        "command": ["alula-copilot"],
        "args": errand.words(),
        "volumeMounts": [mount],
    }
    if settings.environment:
        made["env"] = [{"name": name, "value": value} for name, value in settings.environment.items()]
    if settings.copilot_resources:
        asked = dict(settings.copilot_resources)
        made["resources"] = {"requests": asked, "limits": dict(asked)}
    return made


def _mounted(spec: Manifest, container: Manifest, name: str, path: str) -> Manifest:
    """What a container has mounted at a path: what its author says, or else an empty directory that it is given."""
    mounts = container.setdefault("volumeMounts", [])
    found: Manifest | None = next((one for one in mounts if str(one.get("mountPath")).rstrip("/") == path), None)
    if found is None:
        found = {"name": name, "mountPath": path}
        mounts.append(found)
        spec.setdefault("volumes", []).append({"name": name, "emptyDir": {}})
    return dict(found)
