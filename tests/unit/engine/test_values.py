"""Values on their way in and out of attempts."""

from __future__ import annotations

import asyncio
import random

import pytest

from alula.config import EngineConfig
from alula.data.layout import Outputs
from alula.data.stores import Objects
from alula.engine.state import Failure, FailureKind, Ref, Values
from alula.engine.values import Depot, left_behind, misfit
from alula.errors import DamagedData, DataError, ObjectNotFound
from alula.idl import (
    ContainerError,
    ErrorDocument,
    ExecutionError,
    Literal,
    LiteralMap,
    LiteralType,
    TypedInterface,
    literals,
)
from alula.idl.interface import why_unfit
from tests.unit.engine.drive import clock, virtual
from tests.unit.idl.build import BOOL, FLOAT, INT, NONE, STR, typed, union_of

ONE, NOTHING = typed({}, {"o0": INT}), typed({}, {})
OPTIONAL = typed({}, {"o0": union_of(INT, NONE)})
FILES = Outputs("memory://x/0")
GOOD = Values.of({"o0": literals.integer(1)}).data


def depot(objects: Objects, *, inline: int = 1 << 16) -> Depot:
    return Depot(objects, clock(), random.Random(1), EngineConfig(inline_bytes=inline))


def error(code: str = "USER:Boom", **more: int) -> bytes:
    return ErrorDocument(error=ContainerError(code=code, message="it broke", **more)).SerializeToString()  # type: ignore[arg-type]


M8 = [
    # What lies there, what is declared, and what comes of it: code, whose fault, whether to try again.
    ({FILES.error: error(kind=ContainerError.RECOVERABLE)}, ONE, ("USER:Boom", FailureKind.USER, True)),
    ({FILES.error: error(kind=ContainerError.NON_RECOVERABLE)}, ONE, ("USER:Boom", FailureKind.USER, False)),
    ({FILES.error: error(origin=ExecutionError.SYSTEM)}, NOTHING, ("USER:Boom", FailureKind.SYSTEM, False)),
    ({FILES.error: b"\xff\xff"}, ONE, ("ErrorFileBadFormat", FailureKind.SYSTEM, True)),
    ({FILES.error: b""}, ONE, ("ErrorFileBadFormat", FailureKind.SYSTEM, True)),
    ({}, ONE, ("OutputsNotFound", FailureKind.USER, True)),
    ({}, NOTHING, (b"", b"")),
    ({}, OPTIONAL, (b"", b"")),
    ({FILES.outputs: GOOD}, ONE, (GOOD, b"")),
    ({FILES.futures: b"f", FILES.outputs: GOOD}, ONE, (b"", b"f")),
    ({FILES.outputs: GOOD, FILES.error: error()}, ONE, ("USER:Boom", FailureKind.USER, False)),
]


@pytest.mark.parametrize(("there", "interface", "expected"), M8)
def test_m8_what_an_attempt_leaves_decides_how_it_ended(
    there: dict[str, bytes], interface: TypedInterface, expected: tuple[object, ...]
) -> None:
    @virtual
    async def play() -> None:
        objects = Objects()
        for uri, data in there.items():
            await objects.write(uri, data)
        found = await left_behind(depot(objects), FILES, interface)
        shown = (found.code, found.kind, found.recoverable) if isinstance(found, Failure) else found
        assert shown == expected

    play()


def test_m8_outputs_that_are_too_large_fail_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alula.engine.values.LIMIT_BYTES", 3)

    @virtual
    async def play() -> None:
        objects = Objects()
        await objects.write(FILES.outputs, GOOD)
        found = await left_behind(depot(objects), FILES, ONE)
        assert isinstance(found, Failure)
        assert (found.code, found.recoverable) == ("OutputSizeExceeded", False)

    play()


def test_m8_outputs_that_do_not_fit_are_named() -> None:
    assert misfit(GOOD, ONE) is None
    assert misfit(b"", NOTHING) is None
    assert misfit(b"", OPTIONAL) is None
    for data, interface, code, recoverable in (
        (b"", ONE, "OutputsNotGenerated", True),
        (b"\xff\xff", ONE, "OutputsBadFormat", True),
        (GOOD, NOTHING, "OutputsUnfit", False),
        (Values.of({"o0": literals.string("x")}).data, ONE, "OutputsUnfit", False),
    ):
        found = misfit(data, interface)
        assert found is not None
        assert (found.code, found.recoverable) == (code, recoverable)


@virtual
async def test_the_largest_values_go_into_the_file_and_small_ones_stay() -> None:
    objects = Objects()
    named = {"small": literals.integer(1), "large": literals.string("x" * 90), "larger": literals.string("y" * 95)}
    data = Values.of(named).data
    kept = await depot(objects, inline=130).keep(data, "memory://out.pb")
    assert kept.refs == (Ref("larger", "memory://out.pb", "larger"),)
    assert set(kept.literals()) == {"small", "large"}
    assert await depot(objects).complete(kept) == data


@virtual
async def test_values_that_lie_in_several_files_come_together() -> None:
    objects = Objects()
    for name in ("a", "b"):
        await objects.write(f"memory://{name}", Values.of({"o0": literals.string(name)}).data)
    values = Values(GOOD, (Ref("x", "memory://a", "o0"), Ref("y", "memory://b", "o0")))
    found = LiteralMap.FromString(await depot(objects).complete(values)).literals
    assert {name: found[name].scalar.primitive.string_value for name in ("x", "y")} == {"x": "a", "y": "b"}


@virtual
async def test_a_file_that_is_not_what_it_should_be_is_damage() -> None:
    objects = Objects()
    await objects.write("memory://a", b"\xff\xff")
    await objects.write("memory://b", GOOD)
    for ref, error_type in (
        (Ref("x", "memory://a", "o0"), DamagedData),
        (Ref("x", "memory://b", "other"), DamagedData),
        (Ref("x", "memory://c", "o0"), ObjectNotFound),
    ):
        with pytest.raises(error_type):
            await depot(objects).complete(Values(b"", (ref,)))


@virtual
async def test_an_outage_is_waited_for_and_gives_up_in_the_end() -> None:
    class Away(Objects):
        tries = 0

        async def write(self, uri: str, data: bytes) -> None:
            self.tries += 1
            raise DataError("no answer")

    time, objects = clock(), Away()
    with pytest.raises(DataError):
        await Depot(objects, time, random.Random(1), EngineConfig()).write("memory://x", b"")
    assert 540 <= time.monotonic() <= 600
    assert 15 <= objects.tries <= 60


@virtual
async def test_outputs_that_many_take_are_read_once() -> None:
    class Counting(Objects):
        reads = 0

        async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
            self.reads += 1
            await asyncio.sleep(1)
            return await super().read(uri, start=start, length=length)

    objects = Counting()
    await objects.write("memory://a", GOOD)
    where, values = depot(objects), Values(b"", (Ref("x", "memory://a", "o0"),))
    found = await asyncio.gather(*(where.complete(values) for _ in range(500)))
    assert len(set(found)) == 1
    await where.complete(values)
    assert objects.reads == 1
    assert not where._reading


@virtual
async def test_what_was_read_lately_is_bounded() -> None:
    objects = Objects()
    where = depot(objects)
    for nth in range(10):
        await objects.write(f"memory://{nth}", bytes(15 * 1024 * 1024))
        await where.outputs(f"memory://{nth}")
    await objects.write("memory://large", bytes(17 * 1024 * 1024))
    await where.outputs("memory://large")
    assert list(where._recent) == [f"memory://{nth}" for nth in (6, 7, 8, 9)]


@virtual
async def test_many_reads_at_once_are_bounded() -> None:
    class Slow(Objects):
        now = most = 0

        async def read(self, uri: str, *, start: int = 0, length: int | None = None) -> bytes:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(1)
            self.now -= 1
            return b""

    objects = Slow()
    where = depot(objects)
    await asyncio.gather(*(where.read(f"memory://{nth}") for nth in range(300)))
    assert objects.most == 64


@pytest.mark.parametrize("declared", [INT, STR, FLOAT, BOOL])
@pytest.mark.parametrize(
    "given", [literals.integer(0), literals.string(""), literals.floating(0), literals.boolean(False)]
)
def test_m8_a_primitive_fits_its_own_type_only(declared: LiteralType, given: Literal) -> None:
    found = misfit(Values.of({"o0": given}).data, typed({}, {"o0": declared}))
    assert (found is None) is not bool(why_unfit(given, declared))


@virtual
async def test_lists_of_elements_that_are_too_long_are_refused_before_all_is_read() -> None:
    objects = Objects()
    place = depot(objects, inline=8)
    place.limit_bytes = 1_000
    values = [await place.keep(Values.of({"o0": literals.string("x" * 300)}).data, f"memory://x/{n}") for n in range(5)]
    assert all(one.refs for one in values)
    await place.gathered(["o0"], values[:3], "memory://x/list")
    with pytest.raises(DataError, match="its 5 elements take more than 1,000 bytes"):
        await place.gathered(["o0"], values, "memory://x/list")
