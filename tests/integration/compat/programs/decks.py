"""Decks and what the context of a task offers: secrets, directories, timing, logging, checkpoints, attributes."""

import logging
import os

import pandas as pd

import flytekit
from flytekit import Deck, Secret, current_context, task, workflow
from flytekit.core.context_manager import FlyteContextManager
from flytekit.core.utils import timeit
from flytekit.deck import MarkdownRenderer, TopFrameRenderer
from flytekit.deck.renderer import SourceCodeRenderer

seen = []


@task(enable_deck=True)
def report(n: int) -> str:
    frame = pd.DataFrame({"col1": list(range(n))})
    deck = Deck("pca", MarkdownRenderer().to_html("# Title"))
    Deck("frame", TopFrameRenderer(2).to_html(df=frame))
    deck.append("<i>more</i>")
    seen.append([d.name for d in current_context().decks if d.name in ("pca", "frame")])
    return str("<h1>" in deck.html and "more" in deck.html)


@task(secret_requests=[Secret(group="user-info", key="user_secret")])
def secret() -> str:
    secrets = current_context().secrets
    return secrets.get("user-info", "user_secret") + secrets.get(key="user_secret", group="user-info")


@timeit("a function")
def timed():
    return 1


@task
def about() -> str:
    ctx = flytekit.current_context()
    with timeit("a block"):
        timed()
    ctx.logging.setLevel(logging.ERROR)
    params = FlyteContextManager.current_context().user_space_params
    with open(os.path.join(ctx.working_directory, "x.txt"), "w") as f:
        f.write("x")
    return f"{ctx.execution_id.project} {params.execution_id.domain} {os.path.isdir(ctx.working_directory)}"


@task
def unknown_attribute() -> str:
    try:
        return str(current_context().spark_session)
    except AssertionError:
        return "no such attribute"


@workflow
def wf() -> tuple[str, str]:
    return about(), unknown_attribute()


if __name__ == "__main__":
    os.environ["_FSEC_USER-INFO_USER_SECRET"] = "s3cret"
    print(report(n=3), seen, "table" in TopFrameRenderer().to_html(pd.DataFrame({"a": [1]})))
    print(secret(), wf())
    print("def" in SourceCodeRenderer().to_html("def f(): pass"))
    print(
        report.enable_deck if hasattr(report, "enable_deck") else not report.disable_deck,
        secret.security_context.secrets[0].key,
    )
    try:
        current_context().secrets.get("nothing", "here")
    except ValueError:
        print("ValueError")
