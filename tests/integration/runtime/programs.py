"""Programs of users, as they lie in an image, and what the platform does around a container."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from alula.idl import DynamicJobSpec, ErrorDocument, Literal, LiteralMap, literals

PROGRAM = '''
import os
import sys
from dataclasses import dataclass
from alula import Deck, File, Recoverable, current_context, dynamic, task
from alula.errors import IgnoreOutputs

@dataclass
class Point:
    x: int
    y: float = 0.5

@task
def add(a: int, b: int = 40) -> int:
    """Adds."""
    return a + b

@task
def point(p: Point) -> tuple[Point, str]:
    return Point(p.x + 1, p.y), f"at {p.x}"

@task
def nothing() -> None: ...

@task
def repeated(n: int) -> tuple[str, int]:
    return "x" * n, n

@task
def length(text: str) -> int:
    return len(text)

@task
def fails(a: int) -> int:
    return 1 // a

@task(retries=2)
def fails_again(a: int) -> int:
    return 1 // a

@task
def recoverable(a: int) -> int:
    raise Recoverable("try me again")

@task
async def later(a: int) -> int:
    return a * 2

@task(enable_deck=True)
def reports(a: int) -> int:
    Deck("My numbers", "<b>forty-two</b>")
    return a

@task
def writes(text: str) -> File:
    path = os.path.join(current_context().working_directory, "out.txt")
    with open(path, "w") as out:
        out.write(text)
    return File(path)

@task
def reads(f: File) -> str:
    with f.open() as stream:
        return stream.read()

@task(retries=1)
def counts() -> int:
    checkpoint = current_context().checkpoint
    before = int((checkpoint.read() or b"0").decode())
    checkpoint.write(str(before + 1).encode())
    return before + 1

@task
def where() -> str:
    context = current_context()
    return "/".join([context.execution_id.project, context.execution_id.name, context.task_id.name])

@task
def scale(x: int, factor: int) -> int:
    return x * factor

@dynamic
def spread(n: int) -> list[int]:
    return [add(a=i) for i in range(n)]

@task(retries=3)
def one_of_many(rank: int) -> int:
    if rank:
        raise IgnoreOutputs
    return 7

@task
def leaves() -> int:
    raise SystemExit(3)

@task
def standard() -> str:
    print("said")
    print("said", file=sys.stderr)
    return repr(open(0, closefd=False).read())
'''


@dataclass
class Container:
    """A folder with a user's program, in which commands of a platform are run."""

    home: Path
    env: dict[str, str] = field(default_factory=dict)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.add("program", PROGRAM)

    def add(self, module: str, text: str) -> None:
        (self.home / f"{module}.py").write_text(text)

    def places(self, inputs: dict[str, Literal]) -> list[str]:
        """The options of one attempt, its inputs written."""
        self.attempts += 1
        at = self.home / "store" / str(self.attempts)
        at.mkdir(parents=True)
        (at / "inputs.pb").write_bytes(LiteralMap(literals=inputs).SerializeToString())
        return [
            "--inputs", str(at / "inputs.pb"),
            "--output-prefix", str(at),
            "--raw-output-data-prefix", str(at / "raw"),
        ]  # fmt: skip

    @property
    def attempt(self) -> Path:
        """Where the last attempt left its files."""
        return self.home / "store" / str(self.attempts)

    @property
    def left(self) -> set[str]:
        """The files of the last attempt that say how it ended."""
        return {p.name for p in self.attempt.iterdir()} & {"outputs.pb", "error.pb", "futures.pb"}

    def outputs(self) -> dict[str, Literal]:
        assert self.left == {"outputs.pb"}, self.left
        return dict(LiteralMap.FromString((self.attempt / "outputs.pb").read_bytes()).literals)

    def futures(self) -> DynamicJobSpec:
        assert self.left == {"futures.pb"}, self.left
        return DynamicJobSpec.FromString((self.attempt / "futures.pb").read_bytes())

    def error(self) -> ErrorDocument:
        assert self.left == {"error.pb"}, self.left
        return ErrorDocument.FromString((self.attempt / "error.pb").read_bytes())

    def run(self, *command: str, closed: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a console script of this installation, as a platform would.

        Args:
            closed: What a shell is told to close: `>&-`.
        """
        program, *words = command
        whole = [str(Path(sys.executable).parent / program), *words]
        if closed:
            whole = ["sh", "-c", f'exec "$0" "$@" {closed}', *whole]
        surroundings = {**os.environ, **self.env, **env}
        return subprocess.run(
            whole, cwd=self.home, env=surroundings, capture_output=True, text=True, check=False, timeout=60
        )


def by_name(task: str, module: str = "program") -> list[str]:
    return ["--resolver", "alula.sdk.resolver.default", "--", "task-module", module, "task-name", task]


def integers(**values: int) -> dict[str, Literal]:
    return {name: literals.integer(value) for name, value in values.items()}
