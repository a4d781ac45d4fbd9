"""Names that flytekit and platforms agree on."""

from alula.compat.names import mirror

INPUT_FILE_NAME, OUTPUT_FILE_NAME = "inputs.pb", "outputs.pb"
FUTURES_FILE_NAME, ERROR_FILE_NAME = "futures.pb", "error.pb"
GLOBAL_INPUT_NODE_ID = ""
START_NODE_ID, END_NODE_ID, DEFAULT_FAILURE_NODE_ID = "start-node", "end-node", "efn"
MESSAGEPACK = "msgpack"
CACHE_KEY_METADATA, SERIALIZATION_FORMAT = "cache-key-metadata", "serialization-format"
SHARED_MEMORY_MOUNT_NAME, SHARED_MEMORY_MOUNT_PATH = "flyte-shared-memory", "/dev/shm"

__getattr__, __dir__ = mirror(__name__, {})
