"""One statement under way: a thread, what it has done so far, and how to end it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable

from alula._kits import bridge, scratch
from alula.data import uris
from alula.data.objects import ObjectStore
from alula.data.sql.driver import Driver, Session, Source
from alula.data.sql.work import FILE, Order, Outcome, perform
from alula.errors import AlulaError, RemoteError

_PAUSE_SECONDS = 0.05
_TRIES = 200
"""How often a statement is told to end before that counts as failed."""


class Run:
    """A statement, from connecting to the upload of its result.

    Args:
        told: Called from the thread whenever there is something new.
    """

    def __init__(self, driver: Driver, source: Source, order: Order, *, told: Callable[[], None]) -> None:
        self.driver, self.source, self.order = driver, source, order
        self.rows = self.bytes = 0
        self.outcome: Outcome | None = None
        """What came of the statement."""
        self.error: AlulaError | None = None
        self.failed: BaseException | None = None
        """What nobody expected."""
        self.uploaded = ""
        """Where its result lies now."""
        self._told, self._cancelled = told, False
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._folder = scratch.directory("sql")
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def sent(self) -> bool:
        """The statement is under way."""
        return self._session is not None

    def start(self, *, fresh: bool) -> None:
        """Begin. Unless `fresh`, end first what an earlier process has left at the database."""
        self._begin(lambda: self._run(fresh))

    def upload(self, objects: ObjectStore, uri: str) -> None:
        """Copy the result to its place, in the background. After a failure it may be called again."""
        self.error = None
        self._begin(lambda: self._upload(objects, uri))

    def cancel(self) -> None:
        """End the statement: when this returns, nothing of it runs. Blocks.

        Raises:
            RemoteError: The database does not answer, so that it may go on.
        """
        self._cancelled = True
        self._interrupt()
        if self.driver.remote and self.outcome is None:
            self.driver.stop(self.source, self.order.name)
        thread = self._thread
        for _ in range(_TRIES):
            if thread is None or not thread.is_alive():
                return
            thread.join(_PAUSE_SECONDS)
            self._interrupt()  # again: the first may have come just before the statement was begun
        raise RemoteError("the statement was cancelled, and has not ended yet", where=self.source.where)

    def remove(self) -> None:
        """Forget the result here."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _interrupt(self) -> None:
        with self._lock:
            if self._session is not None:
                self._session.interrupt()

    def _begin(self, work: Callable[[], None]) -> None:
        def body() -> None:
            try:
                work()
            except AlulaError as exc:
                self.error = exc
            except BaseException as exc:  # noqa: BLE001  # a thread has nobody above it; the plugin raises it again
                self.failed = exc
            finally:
                with self._lock:
                    self._session = None
                self._told()

        self._thread = threading.Thread(target=body, name=f"sql-{self.order.name[:12]}", daemon=True)
        self._thread.start()

    def _run(self, fresh: bool) -> None:
        if not fresh and self.driver.remote:
            self.driver.stop(self.source, self.order.name)
        self._check()
        self.outcome = perform(
            self.driver, self.source, self.order, self._folder, opened=self._opened, progress=self._progress
        )

    def _opened(self, session: Session) -> None:
        with self._lock:
            self._session = session
        self._told()
        self._check()

    def _check(self) -> None:
        if self._cancelled:
            raise RemoteError("the statement was cancelled", where=self.source.where)

    def _progress(self, rows: int, size: int) -> None:
        self._check()
        self.rows, self.bytes = rows, size

    def _upload(self, objects: ObjectStore, uri: str) -> None:
        assert self.outcome is not None
        if self.outcome.table is not None:
            bridge.run(objects.upload(self.outcome.table, uris.join(uri, FILE)))
        self.uploaded = uri
