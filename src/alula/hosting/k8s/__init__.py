"""Kubernetes objects, one per attempt: what turns a `K8sPlugin` into a `CorePlugin`.

What lives here: the adapter; the connection to an API server and what its answers mean; the one watch per kind and
namespace; how a task becomes a pod; waiting for quota.
What does not: how a kind of object is built and read (`backends.k8s`), hosts and their deadlines (`hosting`).
Who may import it: `hosting`, and whoever puts an engine together. Plugins never do.
Where to add one: a kind of object is a file in `backends.k8s`; what all of them need is a file here.
"""
