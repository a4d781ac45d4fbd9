"""Images that the engine at hand builds: what goes into one, its Dockerfile, its context, the build itself.

    made = Context.of(Recipe("python:3.12-slim", packages=("pandas",)))
    await build(settings, made, "train:1")

What the words of an `ImageSpec` mean is in `sdk.image_builder`.
"""
