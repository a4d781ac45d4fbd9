"""A container engine: what to run as frozen records, the calls that run it, and its errors as ours.

    async with DockerEngine(where.find()) as engine:
        await engine.create(Spec(name="job", image="busybox", entrypoint=("echo", "hi")))
        await engine.start("job")

`calls.Engine` is the contract; `docker.DockerEngine` speaks the Docker Engine API, which Podman serves as well. Its
`client` is that of aiodocker, for what only one room needs (building images).
"""
