"""Short-lived credentials of S3, from the Security Token Service of AWS or of a server that speaks its protocol."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from alula._kits import lazy
from alula._kits.aio import to_thread
from alula.data.policies import policy
from alula.data.posting import posted
from alula.data.settings import Reach, StoreSettings
from alula.errors import DataError

if TYPE_CHECKING:
    from urllib import parse
    from xml.etree import ElementTree
else:
    parse = lazy.module("urllib.parse")
    ElementTree = lazy.module("xml.etree.ElementTree")

_LEAST_SECONDS, _MOST_SECONDS, _MOST_SECONDS_FEDERATED = 900, 43_200, 129_600
_VERSION = "2011-06-15"
_ANY_ROLE = "arn:aws:iam::000000000000:role/alula-task"
"""For servers that know no roles (MinIO): the parameter must be there, and is not looked at."""
_FIX = "check the credentials, `task_role` and `sts_endpoint` below `[storage.s3]`, or choose another `[storage] tasks`"


async def lent(settings: StoreSettings, reach: Reach, seconds: int, name: str) -> Mapping[str, str]:
    """Keys of obstore for a task that may do with S3 what `reach` says; none where this process has none to lend from.

    Raises:
        DataError: The service refuses or does not answer.
    """
    own = settings.s3
    region = own.get("region", "us-east-1")
    if own.get("skip_signature") == "true":
        return {}
    wanted = {
        "Version": _VERSION,
        "Policy": policy(reach, partition=_partition(own)),
        "DurationSeconds": str(min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS)),
        "RoleSessionName": _session(name),
    }
    url = _endpoint(own, region)
    if own.get("access_key_id") and own.get("secret_access_key"):
        wanted |= _by_keys(own)
        if wanted["Action"] == "GetFederationToken":
            wanted["Name"] = wanted.pop("RoleSessionName")[:32]
            wanted["DurationSeconds"] = str(min(max(seconds, _LEAST_SECONDS), _MOST_SECONDS_FEDERATED))
        body = parse.urlencode(wanted)
        headers = signed("POST", url, body.encode(), own, region=region, service="sts", now=datetime.now(UTC))
    elif own.get("web_identity_token_file") and (own.get("task_role") or own.get("role_arn")):
        token = await to_thread(_token, Path(own["web_identity_token_file"]))
        wanted |= {"Action": "AssumeRoleWithWebIdentity", "WebIdentityToken": token}
        wanted["RoleArn"] = own.get("task_role") or own["role_arn"]
        body, headers = parse.urlencode(wanted), {}
    elif own.get("task_role"):
        raise DataError(
            f"tasks are to have the role {own['task_role']}, and there are no credentials to ask for it with",
            where="[storage.s3]",
            fix="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN",
        )
    else:
        return {}
    headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    answer = await to_thread(posted, url, body.encode(), headers, settings, fix=_FIX)
    return _credentials(answer, url)


def _by_keys(own: Mapping[str, str]) -> dict[str, str]:
    """What to ask the service for, with long-lived keys or those of a session."""
    if own.get("task_role"):
        return {"Action": "AssumeRole", "RoleArn": own["task_role"]}
    if own.get("endpoint") and not _of_amazon(own["endpoint"]):
        return {"Action": "AssumeRole", "RoleArn": _ANY_ROLE}
    if own.get("session_token"):
        raise DataError(
            "credentials of a session can be lent to tasks through a role only, and none is named",
            where="[storage.s3] task_role",
            fix='name a role that may be assumed: task_role = "arn:aws:iam::123456789012:role/tasks"',
        )
    return {"Action": "GetFederationToken"}


def _endpoint(own: Mapping[str, str], region: str) -> str:
    """Where the service is: said, at the store itself (as in MinIO and Ceph), or that of the region."""
    if own.get("sts_endpoint"):
        return own["sts_endpoint"]
    if own.get("endpoint") and not _of_amazon(own["endpoint"]):
        return own["endpoint"]
    return f"https://sts.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _of_amazon(endpoint: str) -> bool:
    host = parse.urlsplit(endpoint).hostname or ""
    return host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _partition(own: Mapping[str, str]) -> str:
    """The part of AWS that names of buckets are of: China and GovCloud have their own."""
    role, region = own.get("task_role") or own.get("role_arn") or "", own.get("region", "")
    if role.startswith("arn:"):
        return role.split(":")[1]
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _session(name: str) -> str:
    return re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:64].ljust(2, "-")


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise DataError(
            f"the token of this workload cannot be read: {exc.strerror}",
            where=str(path),
            fix="check AWS_WEB_IDENTITY_TOKEN_FILE",
        ) from exc


def _credentials(answer: bytes, url: str) -> dict[str, str]:
    wanted = {"AccessKeyId": "access_key_id", "SecretAccessKey": "secret_access_key", "SessionToken": "session_token"}
    try:
        elements = ElementTree.fromstring(answer).iter()
        found = {
            wanted[tag]: one.text for one in elements if (tag := one.tag.rpartition("}")[2]) in wanted and one.text
        }
    except ElementTree.ParseError:
        found = {}
    if len(found) < len(wanted):
        raise DataError("the service gave no credentials, but something else", where=url, fix=_FIX)
    return found


def signed(
    method: str, url: str, body: bytes, keys: Mapping[str, str], *, region: str, service: str, now: datetime
) -> dict[str, str]:
    """The headers that sign a request to AWS. Source: AWS Signature Version 4."""
    parts = parse.urlsplit(url)
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": parts.netloc, "x-amz-date": moment}
    if keys.get("session_token"):
        headers["x-amz-security-token"] = keys["session_token"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join([method, parts.path or "/", parts.query, lines, names, hashlib.sha256(body).hexdigest()])
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{keys['secret_access_key']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys['access_key_id']}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    del headers["host"]  # the client sends it
    return headers
