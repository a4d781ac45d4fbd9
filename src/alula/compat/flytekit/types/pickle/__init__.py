"""Values that are pickled."""

from alula.compat.flytekit.types.pickle.pickle import FlytePickle, FlytePickleTransformer
from alula.compat.names import mirror

__all__ = ["FlytePickle", "FlytePickleTransformer"]
__getattr__, __dir__ = mirror(__name__, {})
