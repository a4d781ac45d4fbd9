"""flyteidl's services over the verbs of `admin`: what a Flyte client asks of a control plane, over gRPC and HTTP.

What lives here: parts (classes whose coroutine methods are named like the calls they answer), the table that binds them
to the services, the translation of errors to statuses, and the two servers over that table.
What does not: decisions about what is asked for (room `admin`), rows (room `store`), running anything; user code is
never imported.
Who may import it: `serve`, `client`, `cli` and what is above.
Where to add one: a call is a method of the part of its subject, `async def GetTask(self, request, call) -> answer`; a
part is a class of its own file, handed to `binding.bind` in `serve`. Both servers find it there.
"""
