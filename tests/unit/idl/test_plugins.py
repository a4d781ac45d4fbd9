import subprocess
import sys

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message

from alula.idl import plugins


def test_every_name_is_a_message_or_an_enumeration() -> None:
    for name in plugins.__all__:
        found = getattr(plugins, name)
        assert isinstance(found, EnumTypeWrapper) or issubclass(found, Message), name


def test_plugins_the_control_plane_and_descriptors_are_not_loaded_for_literals() -> None:
    code = "import sys, alula.idl.literals, alula.idl.interface, alula.compiler.compile; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "alula.idl.literals" in loaded
    heavy = [name for name in loaded if name.startswith(("flyteidl.admin", "flyteidl.plugins", "grpc"))]
    assert heavy == []
    assert "google.protobuf.descriptor_pb2" not in loaded
