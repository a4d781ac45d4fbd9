"""What the environment says about the remote stores."""

from __future__ import annotations

from alula.data.settings import StoreSettings


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
