"""A client of any control plane that speaks Flyte's services: calls, uploads, registration."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from google.protobuf.message import Message

from alula._kits import lazy
from alula.client.ordering import in_order
from alula.client.profiles import Profile
from alula.data import fingerprint
from alula.data.local import tree
from alula.errors import (
    AlulaError,
    Busy,
    ConfigError,
    DataError,
    Forbidden,
    NameTaken,
    NotOffered,
    NotSignedIn,
    RemoteError,
    RequestError,
    Unknown,
    Untimely,
)
from alula.idl import LiteralMap
from alula.idl.admin import LaunchPlan, TaskSpec, WorkflowSpec
from alula.idl.service import (
    ADMIN,
    AUTH_METADATA,
    DATA_PROXY,
    SERVICES,
    CreateDownloadLocationRequest,
    CreateUploadLocationRequest,
    LaunchPlanCreateRequest,
    LaunchPlanState,
    LaunchPlanUpdateRequest,
    OAuth2MetadataRequest,
    TaskCreateRequest,
    WorkflowCreateRequest,
    messages_of,
)

if TYPE_CHECKING:
    import ssl

    import grpc
    import httpx
else:
    grpc = lazy.module("grpc")
    httpx = lazy.module("httpx")
    ssl = lazy.module("ssl")

_SECONDS = 60.0
_MESSAGE_BYTES = 64 * 1024 * 1024
_CODES: dict[str, type[AlulaError]] = {
    "NOT_FOUND": Unknown,
    "ALREADY_EXISTS": NameTaken,
    "INVALID_ARGUMENT": RequestError,
    "FAILED_PRECONDITION": Untimely,
    "RESOURCE_EXHAUSTED": Busy,
    "UNAUTHENTICATED": NotSignedIn,
    "PERMISSION_DENIED": Forbidden,
    "UNIMPLEMENTED": NotOffered,
}


class Remote:
    """A control plane. Use it in a `with` block.

    Raises:
        ConfigError: Packages are missing, or the file with certificates cannot be read.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._token = profile.token
        options = [("grpc.max_receive_message_length", _MESSAGE_BYTES), ("grpc.max_send_message_length", -1)]
        try:
            if profile.insecure:
                self._channel = grpc.insecure_channel(profile.endpoint, options)
            else:
                ca, key, cert = (_bytes(one) for one in (profile.ca, profile.key, profile.cert))
                credentials = grpc.ssl_channel_credentials(ca, key, cert)
                self._channel = grpc.secure_channel(profile.endpoint, credentials, options)
        except ModuleNotFoundError as exc:
            raise ConfigError(
                f"a remote needs {exc.name}, which is missing", fix="pip install 'alula[remote]'"
            ) from exc
        except OSError as exc:
            raise ConfigError(f"certificates cannot be read: {exc.strerror}", where=str(exc.filename)) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def call(self, name: str, request: Message, *, service: str = ADMIN) -> Any:
        """The answer to a call of a service, which is a message.

        Raises:
            RequestError: What the control plane says against it; the class says what kind of fault it is.
            RemoteError: It cannot be reached, or failed.
            ConfigError: The command that should print a token does not.
        """
        _, answers = _method(service, name)
        ask: Callable[..., Any] = self._channel.unary_unary(
            f"/{service}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answers.FromString,
        )
        way = self.profile.sign_in if service != AUTH_METADATA else None
        try:
            with _translated(name, self.profile):
                return ask(request, timeout=_SECONDS, metadata=self._shown())
        except NotSignedIn:
            if way is None or self.profile.token:
                raise
        self._token = way.token(self._endpoint, verify=_trust(self.profile))  # the first one, or another one
        with _translated(name, self.profile):
            return ask(request, timeout=_SECONDS, metadata=self._shown())

    def _shown(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self._token}"),) if self._token else ()

    def _endpoint(self) -> str:
        """Where tokens are fetched."""
        found = self.call("GetOAuth2Metadata", OAuth2MetadataRequest(), service=AUTH_METADATA)
        return str(found.token_endpoint)

    def upload(self, path: Path, *, project: str, domain: str, root: str = "", name: str = "") -> str:
        """Bring a file to where tasks find it; the URI. The same content goes to the same place.

        Args:
            root: The directory; empty: it follows from the content.
            name: Below that; empty: the file's own.

        Raises:
            RequestError: As `call`.
            DataError: The file cannot be read or sent.
        """
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "md5").digest()
        except OSError as exc:
            raise DataError(f"{path} cannot be sent: {exc.strerror}", where=str(path)) from exc
        asked = CreateUploadLocationRequest(
            project=project,
            domain=domain,
            filename=name or path.name,
            filename_root=root,
            content_md5=digest,
            add_content_md5_metadata=True,
        )
        place = self.call("CreateUploadLocation", asked, service=DATA_PROXY)
        headers = {**place.headers, "Content-MD5": base64.b64encode(digest).decode()}
        headers["Content-Length"] = str(path.stat().st_size)
        try:
            with path.open("rb") as file:
                verify = _trust(self.profile)
                answer = httpx.put(place.signed_url, content=file, headers=headers, timeout=_SECONDS, verify=verify)
        except (httpx.HTTPError, OSError) as exc:
            raise DataError(f"{path.name} cannot be sent: {exc}", where=self.profile.endpoint) from exc
        if not answer.is_success:
            raise DataError(f"{path.name} was not taken: {answer.status_code} {answer.text[:200]}")
        return str(place.native_url)

    def read(self, url: str) -> bytes:
        """What lies at a place that an answer names: a link, or a URI of the control plane's own.

        Raises:
            RequestError: As `call`.
            DataError: It cannot be read.
        """
        if not url.startswith(("https://", "http://")):
            asked = CreateDownloadLocationRequest(native_url=url)
            url = self.call("CreateDownloadLocation", asked, service=DATA_PROXY).signed_url
        try:
            answer = httpx.get(url, timeout=_SECONDS, verify=_trust(self.profile), follow_redirects=True)
        except httpx.HTTPError as exc:
            raise DataError(f"a file of the control plane cannot be read: {exc}", where=self.profile.endpoint) from exc
        if not answer.is_success:
            raise DataError(f"a file of the control plane cannot be read: {answer.status_code} {answer.text[:200]}")
        return answer.content

    def upload_inputs(self, inputs: LiteralMap, *, project: str, domain: str, below: str) -> LiteralMap:
        """Inputs whose files of this machine are where tasks find them.

        Args:
            below: Where this program has put files of its own making.
        """
        sent: dict[str, str] = {}

        def moved(uri: str) -> str:
            path = fingerprint.local_path(uri)
            if path is None or not path.exists():
                return uri
            if uri not in sent:
                sent[uri] = self._sent(path, project, domain)
            return sent[uri]

        made = LiteralMap()
        made.CopyFrom(inputs)
        fingerprint.rewrite(made.literals.values(), moved, below=below)
        return made

    def _sent(self, path: Path, project: str, domain: str) -> str:
        if path.is_file():
            return self.upload(path, project=project, domain=domain)
        root = fingerprint.content(path)[:32]
        place = ""
        for name in tree(path):
            uri = self.upload(path / name, project=project, domain=domain, root=root, name=name)
            place = uri.removesuffix(f"/{name}")
        if not place:
            raise DataError(f"{path} is empty, and cannot be sent", where=str(path), fix="put a file into it")
        return place

    def register(
        self,
        tasks: list[TaskSpec],
        workflows: list[WorkflowSpec],
        plans: list[LaunchPlan],
        *,
        activate: Collection[str] = (),
        tell: Callable[[str, str, bool], None] = lambda kind, name, new: None,
    ) -> None:
        """Register a program; what is there already with the same content stays as it is.

        Args:
            activate: Names of the launch plans that are made active.
            tell: Told of each entity: its kind, its name, whether it is new.

        Raises:
            RequestError: A version is there with another content; or it is refused.
        """
        for task in tasks:
            new = self._put("CreateTask", TaskCreateRequest(id=task.template.id, spec=task))
            tell("task", task.template.id.name, new)
        for one in in_order(workflows, plans):
            if isinstance(one, WorkflowSpec):
                new = self._put("CreateWorkflow", WorkflowCreateRequest(id=one.template.id, spec=one))
                tell("workflow", one.template.id.name, new)
            else:
                new = self._put("CreateLaunchPlan", LaunchPlanCreateRequest(id=one.id, spec=one.spec))
                tell("launch plan", one.id.name, new)
        for plan in plans:
            if plan.id.name in activate:
                self.call("UpdateLaunchPlan", LaunchPlanUpdateRequest(id=plan.id, state=LaunchPlanState.ACTIVE))

    def _put(self, name: str, request: Message) -> bool:
        try:
            self.call(name, request)
        except NameTaken:
            return False
        return True


def _bytes(path: str) -> bytes | None:
    return Path(path).expanduser().read_bytes() if path else None


def _trust(profile: Profile) -> Any:
    """Whom to trust over HTTPS, and what is shown there."""
    if not profile.ca and not profile.cert:
        return True
    context = ssl.create_default_context(cafile=str(Path(profile.ca).expanduser()) if profile.ca else None)
    if profile.cert:
        context.load_cert_chain(
            Path(profile.cert).expanduser(), Path(profile.key).expanduser() if profile.key else None
        )
    return context


@cache
def _method(service: str, name: str) -> tuple[type[Message], type[Message]]:
    for described in SERVICES:
        if described.full_name == service:
            return messages_of(described.methods_by_name[name])
    raise KeyError(service)


@contextmanager
def _translated(name: str, profile: Profile) -> Iterator[None]:
    """Errors of gRPC as ours."""
    try:
        yield
    except grpc.RpcError as exc:
        code, said = exc.code().name, exc.details() or ""
        where = f"{name} at {profile.endpoint}"
        if code in _CODES:
            said, _, fix = said.partition("\n  fix:")
            if code == "UNAUTHENTICATED":
                fix = "name a token: ALULA_TOKEN, or token or token_file of a profile"
            what, _, there = said.partition("\n  where:")
            there = f"{there.strip()}, in {where}" if there else where
            raise _CODES[code](what.strip() or code, where=there, fix=fix.strip()) from exc
        if code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"):
            what, fix = _unreached(said, profile)
            raise RemoteError(what, where=where, fix=fix) from exc
        raise RemoteError(f"the control plane failed: {code} {said[:500]}", where=where) from exc


def _unreached(said: str, profile: Profile) -> tuple[str, str]:
    """What happened where nobody answered, and what to do."""
    if "CERTIFICATE_VERIFY_FAILED" in said:
        what = "the certificate of the control plane is signed by nobody whom this client trusts"
        return what, "name the authority: `ca` in a profile, or FLYTE_PLATFORM_CA_CERT_FILE_PATH"
    fix = f"see that it runs, and that {profile.where or 'the address'} is right"
    hint = (
        "if it speaks TLS, say https://HOST:PORT" if profile.insecure else "if it speaks plain text, http://HOST:PORT"
    )
    return f"the control plane does not answer: {said[:200]}", f"{fix}; {hint}"
