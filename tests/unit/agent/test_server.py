"""Where an agent may listen."""

from __future__ import annotations

import pytest

from alula.agent.server import Listening
from alula.errors import ConfigError


def test_it_listens_on_this_machine_in_plain_text() -> None:
    assert Listening().plaintext


def test_it_does_not_listen_elsewhere_in_plain_text_unless_that_is_said() -> None:
    with pytest.raises(ConfigError, match="can be reached from outside"):
        Listening(host="0.0.0.0")
    assert Listening(host="0.0.0.0", insecure=True).plaintext
    assert not Listening(host="0.0.0.0", cert_file="c", key_file="k").plaintext


def test_half_of_what_tls_needs_is_refused() -> None:
    with pytest.raises(ConfigError, match="go together"):
        Listening(cert_file="c")
    with pytest.raises(ConfigError, match="over TLS only"):
        Listening(client_ca_file="ca")
