from __future__ import annotations

from alula.containers.engine.records import Container, Mount, Spec, Status


def test_a_container_asks_for_nothing_that_nobody_named() -> None:
    body = Spec("a1", "busybox").body()
    assert not {"Entrypoint", "Cmd", "User", "WorkingDir"} & body.keys()
    assert not {"Memory", "NanoCpus", "PidsLimit", "DeviceRequests", "NetworkMode", "Binds"} & body["HostConfig"].keys()
    assert body["HostConfig"]["RestartPolicy"] == {"Name": "no"}


def test_limits_and_requests_are_in_the_units_of_the_engine() -> None:
    spec = Spec(
        "a1",
        "busybox",
        ("sh", "-c"),
        ("true",),
        memory_bytes=64 << 20,
        memory_request_bytes=32 << 20,
        cpus=0.5,
        cpu_request=0.25,
        pids=9,
        gpus=2,
        shared_memory_bytes=1 << 20,
        mounts=(Mount("/a", "/b"), Mount("/c", "/d", read_only=False)),
    )
    body = spec.body()
    assert (body["Entrypoint"], body["Cmd"]) == (["sh", "-c"], ["true"])
    host = body["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 64 << 20
    assert (host["MemoryReservation"], host["NanoCpus"], host["CpuShares"]) == (32 << 20, 500_000_000, 256)
    assert host["DeviceRequests"][0]["Count"] == 2
    assert (host["PidsLimit"], host["ShmSize"], host["Binds"]) == (9, 1 << 20, ["/a:/b:ro", "/c:/d:rw"])


AT = "2026-01-02T03:04:05.123456789Z"


def test_states_of_docker_and_podman_are_read() -> None:
    found = Container.inspected(
        {
            "Id": "17",
            "Name": "/a1",
            "State": {
                "Status": "exited",
                "ExitCode": 137,
                "OOMKilled": True,
                "FinishedAt": "2026-01-02T03:04:05.123456789Z",
            },
            "Config": {"Labels": {"x": "y"}},
        }
    )
    assert (found.name, found.status, found.exit_code, found.out_of_memory) == ("a1", Status.EXITED, 137, True)
    assert found.finished_at is not None
    assert found.finished_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert Container.listed({"Id": "17", "Names": ["a1"], "State": "stopped"}).status is Status.EXITED
    never = Container.inspected({"State": {"Status": "created", "FinishedAt": "0001-01-01T00:00:00Z"}})
    assert never.finished_at is None
    assert Container.inspected({"State": {"Status": "odd"}}).status is Status.UNKNOWN
