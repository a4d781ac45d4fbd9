"""References, at the path where flytekit defines them."""

from alula.compat.names import mirror

__getattr__, __dir__ = mirror(
    __name__,
    {
        "alula.compat.flytekit.core.reference": "Reference TaskReference WorkflowReference LaunchPlanReference "
        "ReferenceEntity"
    },
)
