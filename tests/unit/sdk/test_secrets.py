from __future__ import annotations

import copy
from pathlib import Path

import pytest

from alula.errors import CallError, ConfigError
from alula.sdk.secrets import Identity, MountType, Secret, SecretsManager, SecurityContext, security_context


@pytest.fixture(autouse=True)
def secret_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLYTE_SECRETS_DEFAULT_DIR", str(tmp_path))
    return tmp_path


def test_requests_have_the_bytes_that_flytekit_writes() -> None:
    secrets = [
        Secret("g", "k"),
        Secret(group="G2", key="K", group_version="v1", mount_requirement=Secret.MountType.FILE, env_var="A_B"),
    ]
    message = security_context(secrets)
    assert message is not None
    expected = "12060a01671a016b12120a024732120276311a014b20022a03415f42"
    assert message.SerializeToString() == bytes.fromhex(expected)


def test_an_identity_has_the_bytes_that_flytekit_writes() -> None:
    message = SecurityContext(run_as=Identity(iam_role="r", k8s_service_account="sa")).to_message()
    assert message is not None
    assert message.SerializeToString() == bytes.fromhex("0a070a017212027361")


def test_without_secrets_there_is_no_security_context() -> None:
    assert security_context(None) is None
    assert security_context([]) is None
    assert SecurityContext().to_message() is None


def test_a_single_secret_is_a_list_of_one() -> None:
    assert SecurityContext(secrets=Secret("g")).secrets == [Secret("g")]


def test_a_secret_needs_a_group() -> None:
    with pytest.raises(CallError, match="no group"):
        Secret(key="k")


def test_a_secret_needs_a_name_that_an_environment_variable_can_have() -> None:
    with pytest.raises(CallError, match="'a-b' cannot be the name"):
        Secret("g", "k", env_var="a-b")


def test_a_request_that_is_no_secret_is_refused() -> None:
    with pytest.raises(CallError, match="got str: 'db'"):
        security_context(["db"])  # type: ignore[list-item]


def test_mount_types_have_the_numbers_of_the_wire() -> None:
    assert (MountType.ANY, MountType.ENV_VAR, MountType.FILE) == (0, 1, 2)


def test_names_are_those_of_flytekit() -> None:
    names = SecretsManager()
    assert names.get_secrets_env_var("g", "k", "v") == "_FSEC_G_V_K"
    assert names.get_secrets_file("G", "K", "V").endswith("/g/v/k")
    assert names.get_secrets_env_var("g") == "_FSEC_G"
    assert names.get_secrets_file("G").endswith("/g")


def test_the_environment_comes_before_the_file(secret_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secret_files / "db").mkdir()
    (secret_files / "db" / "password").write_text(" from file\n")
    secrets = SecretsManager(local=True)
    assert secrets.get("DB", "Password") == "from file"
    assert secrets.get("db", "password", encode_mode="rb") == b" from file\n"
    monkeypatch.setenv("DB_PASSWORD", "plain")
    assert secrets.get("db", "password") == "plain"
    monkeypatch.setenv("_FSEC_DB_PASSWORD", " prefixed ")
    assert secrets.get("db", "password") == "prefixed"
    assert secrets.get("db", "password", encode_mode="rb") == b" prefixed "


def test_attributes_are_group_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "x")
    assert SecretsManager().db.password == "x"
    assert SecretsManager().get(key="db_password") == "x"


def test_in_a_container_only_the_prefixed_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "of the image")
    with pytest.raises(ConfigError) as caught:
        SecretsManager(local=False).get("db", "password")
    assert "or DB_PASSWORD" not in caught.value.where


def test_a_container_is_known_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLYTE_INTERNAL_EXECUTION_ID", raising=False)
    monkeypatch.delenv("_F_IMG_ID", raising=False)
    assert "local=True" in repr(SecretsManager())
    monkeypatch.setenv("FLYTE_INTERNAL_EXECUTION_ID", "f1")
    assert "local=False" in repr(SecretsManager())


def test_a_missing_secret_names_both_places_and_the_ways_to_set_it(secret_files: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        SecretsManager(local=True).get("db", "password", "v2")
    text = str(caught.value)
    assert "_FSEC_DB_V2_PASSWORD or DB_V2_PASSWORD" in text
    assert str(secret_files / "db" / "v2" / "password") in text
    assert "export _FSEC_DB_V2_PASSWORD=" in text
    assert "secret_requests=[Secret(group='db', key='password', group_version='v2')]" in text
    assert isinstance(caught.value, ValueError)


def test_a_secret_that_cannot_be_read_says_why(secret_files: Path) -> None:
    (secret_files / "db" / "password").mkdir(parents=True)
    with pytest.raises(ConfigError, match="Is a directory"):
        SecretsManager().get("db", "password")


def test_neither_group_nor_key_is_refused() -> None:
    with pytest.raises(CallError, match="neither group nor key"):
        SecretsManager().get()


def test_no_repr_shows_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_FSEC_DB_PASSWORD", "hunter2")
    secrets = SecretsManager()
    assert secrets.db.password == "hunter2"
    assert "hunter2" not in repr(secrets) + repr(secrets.db) + repr(vars(secrets))


def test_a_manager_can_be_copied() -> None:
    assert repr(copy.deepcopy(SecretsManager(local=True))) == repr(SecretsManager(local=True))
