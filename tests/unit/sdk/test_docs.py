from __future__ import annotations

from alula.sdk.docs import Annotations, Description, Documentation, Labels, Options, SourceCode

# The expected bytes are those of flytekit 1.16.31.


def test_a_full_documentation_has_the_bytes_that_flytekit_writes() -> None:
    markdown = Description(value="v", icon_link="i", format=Description.DescriptionFormat.MARKDOWN)
    docs = Documentation(short_description="s", long_description=markdown, source_code=SourceCode(link="l"))
    assert docs.to_message().SerializeToString().hex() == "1201731a080a0176180122016922030a016c"


def test_a_description_may_be_somewhere_else() -> None:
    docs = Documentation("x", Description(uri="u"))
    assert docs.to_message().SerializeToString().hex() == "1201781a051201751803"


def test_labels_and_annotations_have_the_bytes_that_flytekit_writes() -> None:
    labels = Labels({"b": "1", "a": "2"}).to_message().SerializeToString(deterministic=True)
    assert labels.hex() == "0a060a01611201320a060a0162120131"
    assert Annotations({"a": "x"}).to_message().SerializeToString().hex() == "0a060a0161120178"


def test_default_options_hold_just_what_is_given() -> None:
    assert Options.default_from() == Options()
    options = Options.default_from("sa", "s3://b/k")
    assert options.security_context is not None
    assert options.security_context.run_as is not None
    assert options.security_context.run_as.k8s_service_account == "sa"
    assert options.raw_output_data_config is not None
    assert options.raw_output_data_config.output_location_prefix == "s3://b/k"
