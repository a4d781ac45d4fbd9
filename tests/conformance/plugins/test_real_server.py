"""A plugin that talks to a process of its own over real sockets, in the kit's slow time; jobs end by themselves.

It draws from a pool, whose units are the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from alula.testing.kit import Case, Grade, Harness, Remote, verify
from tests.chaos.cloud import ChaosCloud, Cloud, Settings, clouds


class Through(Remote):
    """The cloud, which one run after the other leaves without jobs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def live(self) -> Sequence[str]:
        return self._cloud.live()


class CloudConformance(Harness):
    pace = 25.0
    seconds = 20.0
    ends_by_itself = True

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def remote(self) -> Through:
        return Through(self._cloud)

    def plugin(self, remote: Through) -> ChaosCloud:
        return ChaosCloud(Settings(self._cloud.url))

    def cases(self) -> Sequence[Case]:
        return [Case("chaos_cloud", inputs={"x": 4}, outputs={"y": 8})]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with clouds(Path(tmp_path_factory.mktemp("cloud"))) as (found, _):
        yield found


@pytest.mark.timeout(120)
def test_a_real_server_is_left_without_jobs(cloud: Cloud) -> None:
    report = verify(CloudConformance(cloud), pairs=5)
    assert report.grade is Grade.A, report.text()
    assert report.crashes > 0
