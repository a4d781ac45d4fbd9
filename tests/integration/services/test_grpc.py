"""The gRPC side of the control plane, asked what no good client asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import grpc
import httpx
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from alula.idl.service import ADMIN, DATA_PROXY, CreateUploadLocationRequest, CreateUploadLocationResponse
from tests.servers.control_plane import ControlPlane, control_plane

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture(scope="module")
def channel(control_plane: ControlPlane) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(control_plane.grpc) as made:
        yield made


def failed(channel: grpc.Channel, path: str, data: bytes) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as told:
        channel.unary_unary(path)(data, timeout=20)
    return told.value.code(), told.value.details()


def test_bytes_that_are_no_message_are_the_fault_of_the_caller(channel: grpc.Channel) -> None:
    code, said = failed(channel, f"/{ADMIN}/GetTask", b"\xff\xff\xff")
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert said == "this is no flyteidl.admin.ObjectGetRequest"


@pytest.mark.parametrize("call", ["CreateNodeEvent", "CreateNothing"])
def test_a_call_that_is_not_there_is_unimplemented(channel: grpc.Channel, call: str) -> None:
    assert failed(channel, f"/{ADMIN}/{call}", b"")[0] is grpc.StatusCode.UNIMPLEMENTED


def test_a_message_that_is_too_long_is_refused(channel: grpc.Channel) -> None:
    code, _ = failed(channel, f"/{ADMIN}/CreateTask", bytes(65 * 1024 * 1024))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_many_calls_at_once_are_all_answered(channel: grpc.Channel) -> None:
    version = channel.unary_unary(f"/{ADMIN}/GetVersion")
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: version(b"", timeout=30), range(500)))
    assert len(set(answers)) == 1


def test_the_services_are_listed_by_reflection(channel: grpc.Channel) -> None:
    found = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert {ADMIN, DATA_PROXY, "grpc.health.v1.Health", "datacatalog.DataCatalog"} <= found


def test_uploads_go_into_a_bucket_where_files_are_kept_in_one(
    s3_address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    s3 = boto3.client("s3", endpoint_url=s3_address, region_name="us-east-1", **KEYS)
    s3.create_bucket(Bucket="control-plane")
    environ = {
        "ALULA_HOME": str(tmp_path_factory.mktemp("home")),
        "ALULA__STORAGE__S3__ENDPOINT": s3_address,
        "ALULA__STORAGE__S3__ACCESS_KEY_ID": "test",
        "ALULA__STORAGE__S3__SECRET_ACCESS_KEY": "test",
        "ALULA__STORAGE__S3__REGION": "us-east-1",
        "ALULA__STORAGE__S3__ALLOW_HTTP": "true",
    }
    home = tmp_path_factory.mktemp("bucket")
    with (
        control_plane(home, "--data", "s3://control-plane/alula", environ=environ) as server,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        call = channel.unary_unary(
            f"/{DATA_PROXY}/CreateUploadLocation",
            request_serializer=CreateUploadLocationRequest.SerializeToString,
            response_deserializer=CreateUploadLocationResponse.FromString,
        )
        made = call(CreateUploadLocationRequest(project="p", domain="d", filename_root="00000"), timeout=20)
        assert made.native_url.startswith("s3://control-plane/alula/_uploads/p/d/00000/")
        assert httpx.put(made.signed_url, content=b"hello").status_code == 200
    key = made.native_url.removeprefix("s3://control-plane/")
    assert s3.get_object(Bucket="control-plane", Key=key)["Body"].read() == b"hello"
