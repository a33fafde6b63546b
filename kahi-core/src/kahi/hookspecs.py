"""Every hook that core calls: when, how often, in which order, and what an exception does.

A plugin implements some of them with ``@hookimpl`` in a module that an entry point of the group
``kahi.plugins`` names. Implementations name only the arguments they need. A plain function is
called on the event-loop thread unless its hook says otherwise, and must not block; a hook that is
specified with ``async def`` is implemented with ``async def``.

Plugins are called by name, each after those that it names in ``kahi_requires``. What a plugin
raises is logged with its traceback when it is seen for the first time, and counted.

Adding a hook, or an argument to a hook, is compatible: implementations that do not name the
argument go on as before. A hook or an argument that is to be removed warns whoever implements or
names it for at least one release before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kahi.hookvalues import (
    CORE_CHECKS,
    CORE_TABLES,
    CheckFailed,
    ConfigSection,
    HealthCheck,
    LogSink,
    PasswordHasher,
    Service,
    SpawnRequest,
    SpawnVeto,
)
from kahi.markers import PROJECT, hookimpl, hookspec

if TYPE_CHECKING:
    import ssl

    from kahi.config.config import Config
    from kahi.definition import ProcessDefinition
    from kahi.errors import Problem
    from kahi.events import Event
    from kahi.plugins import PluginContext, PluginManager

__all__ = [
    "CORE_CHECKS",
    "CORE_TABLES",
    "PROJECT",
    "CheckFailed",
    "ConfigSection",
    "HealthCheck",
    "LogSink",
    "PasswordHasher",
    "Service",
    "SpawnRequest",
    "SpawnVeto",
    "hookimpl",
    "hookspec",
]


@hookspec
def kahi_addhooks() -> Sequence[object]:  # type: ignore[empty-body]
    """Add hooks of the plugin's own: modules (or other namespaces) of hook specifications.

    The plugin calls them with `ctx.plugins.call`, or with `first` where one answer decides. An
    implementation in a plugin that also works without them says `@hookimpl(optionalhook=True)`.

    Called: once, after all plugins were imported and before any other hook.
    Exception: the plugin fails.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_addhooks():
            from notify import hookspecs
            return [hookspecs]
    """


@hookspec
def kahi_config_sections() -> Sequence[ConfigSection]:  # type: ignore[empty-body]
    """Declare tables and program keys of the plugin, as pydantic models.

    What the tables hold is found in `ctx.config.sections["notify"]`, and what a program says in
    `definition.extensions["notify"]`. A table that is not in the configuration has its defaults, or
    is None when a key without default is missing. A table that is wrong refuses the start or the
    reload, with file and line.

    Called: once, before the configuration is read.
    Exception: the plugin fails; its tables are then accepted with a warning.
    Since: 0.1

    Example:
        class Settings(BaseModel):
            command: list[str] = []

        @hookimpl
        def kahi_config_sections():
            return [ConfigSection("notify", Settings)]
    """


@hookspec
def kahi_health_checks() -> Mapping[str, type[HealthCheck]]:  # type: ignore[empty-body]
    """Bring kinds of health checks, by the key that they have in `[programs.NAME.health]`.

    A kind that core or another plugin has already can not be brought again.

    Called: once, before the configuration is read.
    Exception: the plugin fails; a configuration that uses its kinds is refused.
    Since: 0.1

    Example:
        class RedisCheck:
            def __init__(self, value):
                self.url = checked_url(value)

            async def check(self, process):
                if not await ping(self.url):
                    raise CheckFailed("no PONG")

        @hookimpl
        def kahi_health_checks():
            return {"redis": RedisCheck}
    """


@hookspec
def kahi_validate_config(  # type: ignore[empty-body]
    config: Config, plugins: PluginManager
) -> Sequence[Problem] | None:
    """Report what the models alone can not see. Any problem refuses the start or the reload.

    Called: for each configuration that is read and otherwise valid, at start, on reload and by
        `kahi check`; on a reload on a worker thread. May block on the disk.
    Exception: logged and counted; the configuration is used all the same.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_validate_config(config):
            command = config.sections["notify"].command
            if command and shutil.which(command[0]) is None:
                return [Problem(config.path, 0, "[notify] command", f"there is no {command[0]}")]
            return None
    """


@hookspec
def kahi_setup(ctx: PluginContext) -> None:
    """Prepare: open sockets, subscribe to events.

    Called: once, in the event loop, before privileges are dropped and before anything is spawned.
    Exception: the plugin fails; the daemon goes on without it, unless it is required. With
        `StartRefused` the daemon does not start at all.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_setup(ctx):
            ctx.events.subscribe(told, "process_state_fatal", owner="notify")
    """


@hookspec
def kahi_services(ctx: PluginContext) -> Sequence[Service]:  # type: ignore[empty-body]
    """Give the plugin's long-running parts: tasks that live as long as the daemon.

    Each is an async context manager that is entered in a task of its own, once what starts by itself
    has been spawned, and left in order at shutdown. One that raises is started again, with backoff.

    Called: once, in the event loop, after `kahi_setup` and before anything is spawned.
    Exception: the plugin fails.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_services(ctx):
            return [Service("sender", lambda: sending(ctx))]

        @asynccontextmanager
        async def sending(ctx):
            with ctx.events.queue("process_state", owner="notify") as queue:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(send_all, queue)
                    yield
                    queue.close()
    """


@hookspec
async def kahi_prepare_spawn(request: SpawnRequest) -> None:
    """Change what is about to be executed, or refuse it with `request.veto("reason")`.

    A plugin sees what those before it have changed. The wait counts as part of STARTING; a process
    that is stopped meanwhile is not spawned. Whether anybody implements this is looked at once:
    without it, spawning does not wait for anything.

    Called: before each spawn of each process, in the event loop, one plugin after the other.
    Exception: the process is not spawned: it is a failed start, whose error names the plugin. The
        same goes for a hook that takes longer than 5 seconds. A veto makes the process FATAL, or
        counts as a failed start if it says `retry=True`.
    Since: 0.1

    Example:
        @hookimpl
        async def kahi_prepare_spawn(request):
            if "vault" in request.settings:
                request.environment["TOKEN"] = await fetch_token(request.settings["vault"])
    """


@hookspec
def kahi_log_sinks(definition: ProcessDefinition, stream: str) -> LogSink | None:
    """Say whether the plugin wants what a process prints, and give the object that gets it.

    From then on the object is called directly, beside log file or console. What the program says
    under the plugin's own keys is in `definition.extensions`.

    Called: once for each process and stream ("stdout", "stderr"), in the event loop, when the process
    comes into the configuration. Sinks get the bytes in the order of the plugins.
    Exception: logged and counted; the process runs without that sink.
    Since: 0.1

    Example:
        class Counter:
            def __init__(self):
                self.lines = 0

            def write(self, data):
                self.lines += data.count(b"\\n")

            def close(self):
                print(self.lines)

        @hookimpl
        def kahi_log_sinks(definition, stream):
            if definition.name == "web" and stream == "stdout":
                return Counter()
    """


@hookspec
def kahi_event(event: Event) -> None:
    """Something happened.

    With a filter, `@hookimpl(events=["process_state"])`, it is called for those types only, and
    costs nothing for others. A plugin may have several, with `specname="kahi_event"`. A slow reader
    uses `ctx.events.queue` in a service.

    Called: for each event, in order, in the event loop, once the change it tells of is done.
    Exception: logged and counted; others are told all the same.
    Since: 0.1

    Example:
        @hookimpl(events=["process_state_fatal"])
        def kahi_event(event):
            print(event.name, event.spawn_error)
    """


@hookspec
def kahi_password_hashers(config: Config | None) -> Sequence[PasswordHasher]:  # type: ignore[empty-body]
    """Give ways of hashing passwords.

    A scheme that several plugins give belongs to the last of them, and `kahi hash-password` uses the
    last hasher of all unless it is told otherwise. So a plugin that comes after the API can replace
    or forbid what the API brings, by a hasher whose `check` raises.

    ``config`` is the configuration that is being checked or is in force, None for
    `kahi hash-password`.

    Called: when a configuration with password hashes is checked, when the API starts or is reloaded,
        and by `kahi hash-password`.
    Exception: logged and counted; its schemes are then unknown.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_password_hashers():
            return [Argon2()]
    """


@hookspec
def kahi_tls_policy(context: ssl.SSLContext, config: Config) -> None:
    """Narrow down what a TLS context accepts: versions, cipher suites, curves.

    It has Kahi's own policy already: TLS 1.2 or later, forward secrecy, authenticated encryption.

    Called: for each context that the daemon makes, before it is used.
    Exception: the context is not used; what needs it fails.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_tls_policy(context):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    """


@hookspec
def kahi_version(config: Config | None) -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Tell what else belongs to the answer to "what runs here?", by names of the plugin's own.

    ``config`` is the configuration in force, None for `kahi version`.

    Called: by `kahi version --json`, and when a client of the daemon asks.
    Exception: logged and counted; the rest is told all the same.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_version():
            return {"licence": {"holder": "ACME"}}
    """


@hookspec
def kahi_reload(ctx: PluginContext, old: Config, new: Config) -> None:
    """A new configuration is in force; take over what concerns the plugin.

    Called: after each reload, in the event loop, when the processes have been dealt with.
    Exception: logged and counted.
    Since: 0.1

    Example:
        @hookimpl
        def kahi_reload(old, new):
            if old.sections["notify"] != new.sections["notify"]:
                sender.use(new.sections["notify"])
    """
