from __future__ import annotations

import json
import socket
from pathlib import Path

from alula.containers.engine import where


def test_what_is_set_comes_before_what_dockers_own_client_would_use(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "DOCKER_HOST": "tcp://there:1", "DOCKER_CONTEXT": "work"}
    assert where.find("unix:///mine", environ) == "unix:///mine"
    assert where.find("", environ) == "tcp://there:1"
    del environ["DOCKER_HOST"]
    assert where.find("", environ) == "context://work"


def test_the_current_context_counts_unless_it_is_the_default(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"currentContext": "far"}))
    assert where.find("", environ) == "context://far"
    (tmp_path / ".docker" / "config.json").write_text("no json")
    assert where.client_config(environ) == {}


def test_sockets_of_podman_are_found_too(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    place = tmp_path / "run" / "podman" / "podman.sock"
    assert place in where.usual_sockets(environ)
    assert not where.is_socket(place)
    place.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(place))
        assert where.is_socket(place)
