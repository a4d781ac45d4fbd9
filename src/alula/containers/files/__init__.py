"""The files of a task that knows nothing of Alula: its inputs laid out, its outputs read by their declared types.

    inside = folders(template)                                      # where the container has them; empty: not at all
    await lay_in(objects, template, inputs, folder)                 # before the command starts
    outputs = await take_out(objects, template, folder, raw_prefix) # after it has ended well
    said = error_text(folder)                                       # after it has not; `take_out` looks by itself

docs/how-to/raw-containers.md has the form of each type.
"""

from alula.containers.files.inputs import lay_in
from alula.containers.files.outputs import error_text, take_out
from alula.containers.files.places import SAID, Folders, folders

__all__ = ["SAID", "Folders", "error_text", "folders", "lay_in", "take_out"]
