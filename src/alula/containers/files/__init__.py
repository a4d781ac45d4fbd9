"""The files of a task that knows nothing of Alula: its inputs laid out, its outputs read by their declared types.

    await lay_in(objects, template, inputs, folder)                 # before the command starts
    outputs = await take_out(objects, template, folder, raw_prefix) # after it has ended well

docs/how-to/raw-containers.md has the form of each type.
"""

from alula.containers.files.inputs import lay_in
from alula.containers.files.outputs import take_out

__all__ = ["lay_in", "take_out"]
