"""What the environment says about the remote stores."""

from __future__ import annotations

from datetime import timedelta

from alula.config import Lending, StorageConfig
from alula.data.settings import StoreSettings, adopt, variable_of


def test_the_variables_of_flytekit_come_before_the_vendors() -> None:
    settings = StoreSettings.from_env(
        {
            "FLYTE_AWS_ENDPOINT": "http://mine:9000",
            "AWS_ENDPOINT_URL": "http://other",
            "AWS_ACCESS_KEY_ID": "key",
            "FLYTE_AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SECRET_ACCESS_KEY": "other",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
    )
    assert settings.s3 == {
        "endpoint": "http://mine:9000",
        "access_key_id": "key",
        "secret_access_key": "secret",
        "region": "eu-west-1",
    }
    assert settings.gs == settings.az == {}


def test_an_empty_environment_leaves_everything_to_the_client_library() -> None:
    assert StoreSettings.from_env({"AWS_ENDPOINT_URL": ""}) == StoreSettings()


def test_azure_and_google_are_read_too() -> None:
    settings = StoreSettings.from_env(
        {"FLYTE_AZURE_STORAGE_ACCOUNT_NAME": "acc", "AZURE_CLIENT_ID": "id", "STORAGE_EMULATOR_HOST": "http://gs"}
    )
    assert settings.az == {"account_name": "acc", "client_id": "id"}
    assert settings.gs == {"base_url": "http://gs"}


def test_what_the_settings_say_is_handed_on_to_other_processes() -> None:
    config = StorageConfig(
        tasks=Lending.OWN,
        retries=0,
        timeout=timedelta(seconds=7),
        s3={"endpoint": "http://mine", "access_key_id": "key"},
        az={"account_name": "acc"},
    )
    environ = {"AWS_ENDPOINT_URL": "http://other", "AWS_SECRET_ACCESS_KEY": "of another key", "AWS_REGION": "here"}
    here = StoreSettings.of_config(config, environ)
    assert here.s3 == {"endpoint": "http://mine", "access_key_id": "key", "region": "here"}
    adopt(config, environ)
    assert StoreSettings.from_env(environ) == here


def test_settings_that_say_nothing_leave_the_environment_alone() -> None:
    environ: dict[str, str] = {}
    adopt(StorageConfig(), environ)
    assert environ == {}


def test_keys_are_kept_together() -> None:
    environ = {"AWS_ACCESS_KEY_ID": "theirs", "AWS_SECRET_ACCESS_KEY": "theirs", "AWS_SESSION_TOKEN": "theirs"}
    config = StorageConfig(s3={"access_key_id": "mine", "secret_access_key": "mine"})
    assert StoreSettings.of_config(config, environ).s3 == dict(config.s3)


def test_keys_that_vendors_have_no_variable_for_have_ours() -> None:
    assert variable_of("s3", "endpoint") == "AWS_ENDPOINT_URL_S3"
    assert variable_of("s3", "skip_signature") == "ALULA__STORAGE__S3__SKIP_SIGNATURE"
