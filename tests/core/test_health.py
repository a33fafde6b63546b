"""Health: judgement, pace and the checks themselves, without a daemon."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahi.definition import HealthSettings
from kahi.health import connection
from kahi.health.http import MAX_BODY, HttpCheck
from kahi.health.judgement import Judgement, judge, patience_ends
from kahi.health.monitor import Monitor
from kahi.health.probes import Probe, Probes
from kahi.health.schedule import Schedule
from kahi.health.tcp import TcpCheck
from kahi.hookspecs import CheckFailed, hookimpl
from kahi.plugins import PluginManager
from tests.core.fakes import FakeClockLoop
from tests.support import make_certificate


def settings(**keys: Any) -> HealthSettings:
    """Settings of some check."""
    return HealthSettings("tcp", "localhost:1", **keys)


checks = st.lists(st.tuples(st.booleans(), st.floats(0.1, 20)), max_size=30)
any_settings = st.builds(
    settings,
    interval=st.sampled_from([0.5, 10.0]),
    retries=st.integers(1, 4),
    start_period=st.sampled_from([0.0, 30.0]),
)


class TestJudgement:
    """What checks mean."""

    @given(checks, any_settings)
    def test_only_enough_failures_in_a_row_make_unhealthy(
        self, found: list[tuple[bool, float]], settings: HealthSettings
    ) -> None:
        now, row, was_healthy = 0.0, 0, False
        judgement = Judgement(since=0.0)
        for passed, pause in found:
            now += pause
            before = judgement
            judgement = judge(before, settings, now, passed=passed)
            row = 0 if passed else row + 1
            was_healthy = was_healthy or passed
            assert judgement.failures == row
            if passed:
                assert judgement.status == "healthy"
            elif judgement.status == "unhealthy" != before.status:
                assert row >= settings.retries
                assert was_healthy or now >= patience_ends(before, settings)
            elif before.status == "healthy":
                assert (judgement.status == "healthy") == (row < settings.retries)

    @given(any_settings)
    def test_patience_ends(self, settings: HealthSettings) -> None:
        judgement = Judgement(since=5.0)
        deadline = 5 + settings.start_period + settings.retries * settings.interval
        for _ in range(50):
            judgement = judge(judgement, settings, deadline - 0.01, passed=False)
        assert judgement.status == "starting"
        assert judge(judgement, settings, deadline, passed=False).status == "unhealthy"


class TestMonitor:
    """What is known about one process."""

    def test_it_tells_of_each_turn_once(self) -> None:
        told: list[tuple[str, str]] = []
        now = [0.0]
        monitor = Monitor(
            settings(retries=2),
            lambda: now[0],
            lambda monitor: told.append((monitor.status, monitor.reason)),
        )
        assert (monitor.status, monitor.remark) == ("none", "")
        monitor.begin()
        assert (monitor.status, monitor.remark) == ("starting", "not ready yet")
        monitor.judged("refused")
        assert monitor.remark == "not ready: refused"
        for reason in ("", "", "slow", "slow", "slow", ""):
            monitor.judged(reason)
        assert told == [("healthy", ""), ("unhealthy", "slow"), ("healthy", "")]
        monitor.tells("serving")
        assert monitor.remark == "serving"
        monitor.condemned("it says so")
        assert monitor.remark == "unhealthy: it says so"
        monitor.end()
        monitor.judged("")
        monitor.condemned("late")
        monitor.tells("late")
        assert (monitor.status, monitor.remark) == ("none", "")
        assert len(told) == 4


class Patient:
    """A process as far as a schedule looks at it."""

    pid = 1


class Scene:
    """A schedule on a fake clock; ``answer`` is what its check raises, or None."""

    def __init__(self, **keys: Any) -> None:
        self.loop = FakeClockLoop()
        self.settings = settings(**keys)
        self.probes = Probes(self.loop)
        self.patient = Patient()
        self.monitor = Monitor(self.settings, self.loop.time, lambda _: None)
        self.checked: list[float] = []
        self.answer: Exception | None = None
        self.schedule = Schedule(
            self.patient,  # type: ignore[arg-type]
            self.settings,
            self,
            self.probes,
            lambda: 1,
            lambda error: self.monitor.judged("" if error is None else str(error)),
        )

    async def check(self, process: object) -> None:
        self.checked.append(self.loop.time())
        if self.answer is not None:
            raise self.answer

    def begin(self) -> None:
        self.monitor.begin()
        self.schedule.begin()

    @property
    def pauses(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.checked, self.checked[1:], strict=False)]


@pytest.fixture
def scenes() -> Iterator[Callable[..., Scene]]:
    """Makes scenes, and closes their loops."""
    made: list[Scene] = []

    def make(**keys: Any) -> Scene:
        made.append(Scene(**keys))
        return made[-1]

    yield make
    for scene in made:
        scene.schedule.close()
        scene.loop.settle()
        scene.loop.close()


class TestSchedule:
    """When a process is looked at."""

    def test_soon_until_it_is_healthy_then_every_interval(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes(interval=10.0, start_period=100)
        begin = scene.loop.time()
        scene.answer = CheckFailed("no")
        scene.begin()
        scene.loop.pass_time(5)
        assert scene.checked[0] - begin < 0.01
        assert scene.pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6], abs=0.01)
        scene.answer = None
        scene.loop.pass_time(100)
        healthy = scene.pauses[6:]
        assert 5 <= healthy[0] <= 10
        assert all(9.5 <= pause <= 10.5 for pause in healthy[1:])
        assert len({round(pause, 6) for pause in healthy}) > 3

    def test_the_end_of_patience_is_not_missed(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes(interval=10.0, retries=2, start_period=3)
        scene.answer = CheckFailed("no")
        begin = scene.loop.time()
        scene.begin()
        scene.loop.pass_time(22.9)
        assert scene.monitor.status == "starting"
        scene.loop.pass_time(0.3)
        assert scene.monitor.status == "unhealthy"
        assert scene.checked[-1] - begin == pytest.approx(23, abs=0.2)

    def test_nothing_happens_while_it_is_down(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes()
        scene.begin()
        scene.loop.pass_time(1)
        scene.schedule.end()
        count = len(scene.checked)
        scene.loop.pass_time(100)
        assert len(scene.checked) == count == 1

    def test_what_follows_from_a_check_may_be_the_end(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes(interval=1.0, retries=1)
        scene.answer = CheckFailed("no")
        scene.monitor._changed = lambda _: scene.schedule.end()
        scene.begin()
        scene.loop.pass_time(2)
        count = len(scene.checked)
        scene.loop.pass_time(50)
        assert len(scene.checked) == count

    def test_a_child_that_is_not_there_yet_is_waited_for(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes()
        scene.patient.pid = 0
        scene.begin()
        scene.loop.pass_time(3)
        assert not scene.checked
        scene.patient.pid = 7
        scene.loop.pass_time(0.2)
        assert len(scene.checked) == 1

    def test_another_interval_counts_at_once(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes(interval=3600.0)
        scene.begin()
        scene.loop.pass_time(1)
        scene.schedule.reconfigure(settings(interval=2.0))
        scene.loop.pass_time(2.1)
        assert len(scene.checked) == 2

    def test_a_crowd_is_spread_out(self, scenes: Callable[..., Scene]) -> None:
        scene = scenes()
        first: list[float] = []
        for _ in range(200):
            crowded = Schedule(
                scene.patient,  # type: ignore[arg-type]
                scene.settings,
                scene,
                scene.probes,
                lambda: 1000,
                lambda _: Judgement(0.0),
            )
            crowded.begin()
            assert crowded._timer is not None
            first.append(crowded._timer.when() - scene.loop.time())
            crowded.close()
        assert min(first) < 0.2
        assert 0.8 < max(first) <= 1


class TestProbes:
    """Checks that run at the same time."""

    def test_only_so_many_run_and_all_get_their_turn(self) -> None:
        loop = FakeClockLoop()
        probes = Probes(loop, width=3)
        running, most, done = 0, 0, 0

        async def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1

        def ended(error: BaseException | None) -> None:
            nonlocal done
            assert error is None
            done += 1

        for _ in range(10):
            probes.submit(work, 5, ended)
        loop.pass_time(4.1)
        assert (most, done) == (3, 10)
        loop.close()

    def test_one_that_does_not_end_is_left_behind(self) -> None:
        loop = FakeClockLoop()
        probes = Probes(loop, width=1)
        told: list[str] = []

        async def stubborn() -> None:
            while loop.time() < begin + 20:
                try:
                    await asyncio.sleep(20)
                except asyncio.CancelledError:
                    continue

        async def good() -> None: ...

        begin = loop.time()
        probes.submit(stubborn, 2, lambda error: told.append(str(error)))
        probes.submit(good, 2, lambda error: told.append(str(error)))
        loop.pass_time(2.1)
        assert told == ["no answer within 2 s", "None"]
        loop.pass_time(50)
        assert len(told) == 2
        loop.close()

    @pytest.mark.parametrize("is_running", [True, False])
    def test_one_that_is_given_up_makes_room_and_tells_nothing(self, is_running: bool) -> None:
        loop = FakeClockLoop()
        probes = Probes(loop, width=1)
        told: list[str] = []

        def submit(name: str, seconds: float) -> Probe:
            return probes.submit(lambda: asyncio.sleep(seconds), 50, lambda _: told.append(name))

        first, second = submit("first", 10), submit("second", 1)
        (first if is_running else second).give_up()
        first.give_up() if is_running else second.give_up()
        loop.pass_time(11.5)
        assert told == (["second"] if is_running else ["first"])
        loop.close()

    def test_one_that_cancels_itself_has_failed(self) -> None:
        loop = FakeClockLoop()
        told: list[str] = []

        async def work() -> None:
            raise asyncio.CancelledError

        Probes(loop).submit(work, 5, lambda error: told.append(str(error)))
        loop.settle()
        assert told == ["cancelled itself"]
        loop.close()


@asynccontextmanager
async def answering(
    answer: bytes,
    seen: list[bytes] | None = None,
    host: str = "127.0.0.1",
    *,
    linger: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[int]:
    """A server that answers every request like that; gives its port."""

    served: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            if seen is not None:
                seen.append(request)
            writer.write(answer)
            await writer.drain()
            if linger:
                await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, host, 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.sleep(0)
        if served:
            await asyncio.wait(served, timeout=10)


def ask(answer: bytes, expect: str = "", *, linger: bool = False) -> str:
    """What an http check says to an answer, "" when it is content."""

    async def main() -> str:
        async with answering(answer, linger=linger) as port:
            try:
                await asyncio.wait_for(HttpCheck(f"http://127.0.0.1:{port}/", expect).check(None), 10)  # type: ignore[arg-type]
            except CheckFailed as failed:
                return str(failed) or "failed"
            return ""

    return asyncio.run(main())


class TestHttp:
    """One GET and what comes back."""

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.0 204 No Content\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
            b"HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ],
    )
    def test_2xx_and_3xx_are_fine(self, answer: bytes) -> None:
        assert ask(answer, linger=True) == ""

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (b"HTTP/1.1 404 Not Found\r\n\r\n", "answered 404 Not Found"),
            (b"HTTP/1.1 503\r\n\r\n", "answered 503"),
            (b"", "closed the connection without an answer"),
            (b"HTTP/1.1 200", "answered something that is no HTTP"),
            (b"220 mail ready\r\n\r\n", "answered something that is no HTTP"),
            (b"HTTP/2 200\r\n\r\n", "answered something that is no HTTP"),
            (b"HTTP/1.1 twohundred OK\r\n\r\n", "answered something that is no HTTP"),
            (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "answered something that is no HTTP"),
        ],
    )
    def test_everything_else_is_not(self, answer: bytes, reason: str) -> None:
        assert ask(answer) == reason

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nit is up!",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nit i\r\n5;x=y\r\ns up!\r\n0\r\n\r\n",
            b"HTTP/1.1 302 OK\r\nContent-Length: 100\r\n\r\nit is up and more",
        ],
    )
    def test_the_expected_text_is_found_without_waiting_for_the_end(self, answer: bytes) -> None:
        assert ask(answer, "is up", linger=True) == ""

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\n\r\nit is down",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nit is up",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nit \r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_BODY + 1) + b"is up",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n" + b"x" * 0xFFFFF + b"\r\n",
        ],
    )
    def test_the_expected_text_is_missed(self, answer: bytes) -> None:
        assert ask(answer, "is up") == "the answer does not hold 'is up'"

    @pytest.mark.parametrize("size", [b"x", b"-1", b"99", b""])
    def test_a_broken_body_is_no_answer(self, size: bytes) -> None:
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nabc"
        assert ask(answer, "is up") == "answered something that is no HTTP"

    def test_the_request_says_what_the_url_says(self) -> None:
        seen: list[bytes] = []

        async def main() -> None:
            async with answering(b"HTTP/1.1 200 OK\r\n\r\n", seen) as port:
                url = f"http://me:pa%20ss@localhost:{port}/a%20b/\xe5?q=1&r=\xe5#there"
                await HttpCheck(url).check(None)  # type: ignore[arg-type]

        asyncio.run(main())
        lines = seen[0].decode().split("\r\n")
        assert lines[0] == "GET /a%20b/%C3%A5?q=1&r=%C3%A5 HTTP/1.1"
        assert lines[1].startswith("Host: localhost:")
        assert "Authorization: Basic bWU6cGEgc3M=" in lines
        assert "Connection: close" in lines

    @pytest.mark.parametrize(
        ("place", "host"),
        [
            ("x" * 63 + ":8080", "x" * 63 + ":8080"),
            ("b\xfccher:8080", "xn--bcher-kva:8080"),
            ("me@b\xfccher.example", "xn--bcher-kva.example"),
            ("[fe80::1]:8080", "[fe80::1]:8080"),
            ("[::1]", "[::1]"),
        ],
    )
    def test_the_host_is_named_as_names_are_written(self, place: str, host: str) -> None:
        request = HttpCheck(f"http://{place}/")._request.decode()
        assert f"\r\nHost: {host}\r\n" in request

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
    def test_https_needs_a_certificate_that_can_be_trusted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        certificate, key = make_certificate(tmp_path, "localhost")
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)

        async def main(name: str) -> None:
            async with answering(b"HTTP/1.1 200 OK\r\n\r\n", tls=tls) as port:
                await HttpCheck(f"https://{name}:{port}/").check(None)  # type: ignore[arg-type]

        with pytest.raises(CheckFailed, match=r"\Acertificate verify failed: self.signed certificate\Z"):
            asyncio.run(main("localhost"))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        asyncio.run(main("localhost"))
        with pytest.raises(CheckFailed, match="certificate verify failed: IP address mismatch"):
            asyncio.run(main("127.0.0.1"))

    def test_who_speaks_no_tls_is_found_out(self) -> None:
        async def main() -> None:
            server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                await HttpCheck(f"https://localhost:{port}/").check(None)  # type: ignore[arg-type]

        with pytest.raises(CheckFailed):
            asyncio.run(main())


class TestConnection:
    """Getting through to an address."""

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run(work)

    def test_every_address_is_tried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second, when the first is refused."""
        monkeypatch.setattr(connection, "LOOPBACK", ("127.0.0.2", "127.0.0.1"))

        async def main() -> None:
            async with answering(b"") as port:
                await TcpCheck(f"localhost:{port}").check(None)  # type: ignore[arg-type]

        self.run(main())

    @pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
    def test_ipv6(self) -> None:
        async def main() -> None:
            try:
                async with answering(b"HTTP/1.1 200 OK\r\n\r\n", host="::1") as port:
                    await TcpCheck(f"[::1]:{port}").check(None)  # type: ignore[arg-type]
                    await HttpCheck(f"http://[::1]:{port}/").check(None)  # type: ignore[arg-type]
            except OSError:
                pytest.skip("this machine has no IPv6")

        self.run(main())

    def test_nobody_there(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            with pytest.raises(CheckFailed, match="connection refused"):
                self.run(TcpCheck(f"127.0.0.1:{port}").check(None))  # type: ignore[arg-type]

    def test_a_name_is_looked_up_once_for_all_who_ask(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def lookup(host: str, *_: object, **__: object) -> list[Any]:
            asked.append(host)
            return [(0, 0, 0, "", ("127.0.0.1", 0)), (0, 0, 0, "", ("127.0.0.1", 0))]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)

        async def main() -> None:
            async with answering(b"") as port:
                await asyncio.gather(*(TcpCheck(f"db.test:{port}").check(None) for _ in range(5)))  # type: ignore[arg-type]
                await TcpCheck(f"db.test:{port}").check(None)  # type: ignore[arg-type]

        self.run(main())
        assert asked == ["db.test", "db.test"]

    @pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("x")])
    def test_a_name_that_nobody_has(self, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        def lookup(*_: object, **__: object) -> list[Any]:
            raise error

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        with pytest.raises(CheckFailed, match=r"cannot find db\.test: (Name|no name)"):
            self.run(TcpCheck("db.test:1").check(None))  # type: ignore[arg-type]

    def test_a_name_server_that_hangs_holds_up_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not the check, which has its time, and not the end of the daemon."""
        import threading

        release = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(30) and [])

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(TcpCheck("db.test:1").check(None), 0.2)  # type: ignore[arg-type]

        self.run(main())
        release.set()


class Kind:
    """A kind of check as a plugin brings it."""

    async def check(self, process: object) -> None: ...


class TestKinds:
    """What plugins may bring."""

    def plugin(self, kinds: object) -> Any:
        class Plugin:
            @hookimpl
            def kahi_health_checks(self) -> Any:
                return kinds

        return Plugin()

    def test_each_kind_belongs_to_one_plugin(self) -> None:
        plugins = PluginManager()
        plugins.register(self.plugin({"redis": Kind}), "a")
        plugins.register(self.plugin({"ping": Kind, "redis": Kind}), "b")
        plugins.register(self.plugin({"file": Kind}), "c")
        assert plugins.declare_health_checks() == {"redis": Kind, "file": Kind}
        assert plugins.health_checks == {"redis": ("a", Kind), "file": ("c", Kind)}
        (failed,) = (info for info in plugins.list() if info.status == "failed")
        assert (failed.name, failed.reason) == ("b", "kahi_health_checks: 'redis' belongs to plugin 'a'")

    @pytest.mark.parametrize(
        ("kinds", "reason"),
        [
            ({"http": Kind}, "'http' belongs to core"),
            ([Kind], "in place of kinds by name"),
            ({"redis": object}, "'redis' has no coroutine function `check`"),
            ({3: Kind}, "3 has no coroutine function `check`"),
        ],
    )
    def test_a_wrong_answer_makes_the_plugin_fail(self, kinds: object, reason: str) -> None:
        plugins = PluginManager()
        plugins.register(self.plugin(kinds), "a")
        assert plugins.declare_health_checks() == {}
        (info,) = plugins.list()
        assert info.status == "failed"
        assert reason in info.reason
