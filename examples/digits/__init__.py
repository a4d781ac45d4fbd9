"""Which model reads handwritten digits best, and which digits does it confuse?

Start with `pipeline.py`. `image_grid.py` is a custom type, `threads.py` a task plugin: each is all that such an
extension takes.
"""
