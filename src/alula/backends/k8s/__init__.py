"""Kinds of Kubernetes objects that run tasks: one file per kind.

What lives here: `K8sPlugin`s: how an object is built from a task's pod, and what its status says of the attempt.
What does not: the connection, watches, names and deletion (`hosting.k8s`); how a task becomes a pod (the same).
Who may import it: whoever loads the entry points of `alula.backends`. Kinds do not know each other.
Where to add one: one new file with a `K8sPlugin`, and its entry point.
"""
