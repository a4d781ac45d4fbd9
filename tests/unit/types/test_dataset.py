"""How an encoder or decoder is found."""

from __future__ import annotations

from typing import Any

import pytest

from alula.errors import UnsupportedType
from alula.idl import StructuredDataset as DatasetMessage
from alula.idl import StructuredDatasetType
from alula.types.dataset import Decoder, Encoder, Handler, Handlers
from alula.types.registry import Registry
from alula.types.tabular import FrameTransformer, StructuredDataset, register, register_renderer
from alula.types.transformer import Place


class Frame:
    pass


class Written(Encoder[Frame]):
    python_type = Frame

    def __init__(self, protocol: str = "", format: str = "") -> None:
        self.protocol, self.format = protocol, format  # type: ignore[misc]  # one class for all of these tests

    def encode(self, frame: Frame, uri: str, kind: StructuredDatasetType, at: Place) -> str:
        return uri


class Read(Decoder[Frame]):
    python_type = Frame

    def decode(self, stored: DatasetMessage, wanted: StructuredDatasetType, at: Place) -> Frame:
        return Frame()


def handlers(*known: tuple[str, str], default: str = "") -> Handlers:
    made = Handlers(Frame)
    for protocol, format in known:
        made.add(Written(protocol, format))
    made.default_format = default
    return made


@pytest.mark.parametrize(
    ("known", "asked", "found"),
    [
        ([("s3", "csv"), ("", "csv"), ("s3", "")], ("s3", "csv"), ("s3", "csv")),
        ([("s3", ""), ("", "csv")], ("s3", "csv"), ("s3", "")),
        ([("s3", "parquet"), ("", "csv")], ("s3", "csv"), ("", "csv")),
        ([("", "csv"), ("", "")], ("s3", "csv"), ("", "csv")),
        ([("", "parquet"), ("", "")], ("s3", "csv"), ("", "")),
        ([("s3", "parquet"), ("s3", "orc")], ("s3", "csv"), ("s3", "parquet")),
        ([("bq", "table")], ("bq", "csv"), ("bq", "table")),
        ([("s3", "parquet"), ("", "parquet")], ("s3", ""), ("s3", "parquet")),
        ([("", "csv"), ("", "parquet")], ("s3", ""), ("", "parquet")),
        ([("", "orc")], ("s3", ""), ("", "orc")),
    ],
)
def test_the_nearest_handler_is_found(known: Any, asked: tuple[str, str], found: tuple[str, str]) -> None:
    handler = handlers(*known, default="parquet").encoder(*asked)
    assert (handler.protocol, handler.format) == found


@pytest.mark.parametrize("known", [[], [("", "orc")], [("gs", "csv")]])
def test_what_is_not_known_is_refused_with_what_is(known: Any) -> None:
    with pytest.raises(UnsupportedType, match="csv on s3"):
        handlers(*known).encoder("s3", "csv")


def test_a_second_handler_for_the_same_place_needs_override() -> None:
    made = handlers(("s3", "csv"))
    with pytest.raises(UnsupportedType, match="Written handles"):
        made.add(Written("s3://", "csv"))
    other = Written("s3", "csv")
    made.add(other, override=True)
    assert made.encoder("s3", "csv") is other
    made.add(Read())  # decoders are kept apart


def test_a_default_stays_unless_it_is_overridden() -> None:
    made = Handlers(Frame)
    made.add(Written("", "csv"), default_format=True)
    made.add(Written("bq", "table"), default_format=True, default_protocol=True)
    assert (made.default_format, made.default_protocol) == ("csv", "bq")
    made.add(Written("bq", "table"), default_format=True, override=True)
    assert made.default_format == "table"


def test_only_encoders_and_decoders_are_handlers() -> None:
    class Neither(Handler):
        python_type = Frame

    with pytest.raises(UnsupportedType, match="neither"):
        Handlers(Frame).add(Neither())


def test_registering_a_handler_makes_its_frames_a_declared_type() -> None:
    types = Registry()
    with pytest.raises(UnsupportedType):
        types.converter(Frame)
    register(Written("", "pickled"), default_format=True, into=types)
    register(Read(), into=types)
    assert types.literal_type(Frame).HasField("structured_dataset_type")
    assert types.converter(Frame).name == "StructuredDataset Transformer"
    with pytest.raises(UnsupportedType, match="already"):
        register(Read(), into=types)


def test_a_subclass_of_a_frame_is_a_type_of_its_own() -> None:
    class Special(Frame):
        pass

    class ReadSpecial(Read):
        python_type = Special

    types = Registry()
    register(Read(), into=types)
    with pytest.raises(UnsupportedType, match=r"Special would come back as tests\.Frame"):
        types.converter(Special)
    register(ReadSpecial(), into=types)
    assert types.converter(Special).literal_type == types.converter(Frame).literal_type


def test_a_renderer_makes_the_preview() -> None:
    class Loud:
        def to_html(self, frame: Frame) -> str:
            return "<b>frame</b>"

    types = Registry()
    register_renderer(Frame, Loud(), into=types)
    assert types.transformer(Frame).preview(Frame()) == "<b>frame</b>"


def test_a_family_without_a_renderer_escapes_what_it_shows() -> None:
    class Frames(FrameTransformer):
        python_type = Frame

    assert "&lt;" in Frames().preview(Frame())


def test_a_data_set_shows_what_it_is() -> None:
    made = StructuredDataset(uri="s3://b/k", file_format="csv")
    assert repr(made) == "StructuredDataset(uri='s3://b/k', file_format='csv')"
    assert made == StructuredDataset(uri="s3://b/k", file_format="csv")
    assert made != StructuredDataset(uri="s3://b/k")
    assert made.columns == []
