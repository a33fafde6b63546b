"""What there is: the active groups and their processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from kahi.definition import GroupDefinition, ProcessDefinition
from kahi.errors import NoSuchGroup, NoSuchProcess
from kahi.events import ProcessGroupEvent
from kahi.process import Host, Process
from kahi.supervisor.group import Group
from kahi.supervisor.watchers import Watchers


class Roster:
    """Groups and processes by name, both always in name order. Belongs to the event-loop thread.

    Starts and stops nothing. The watchers are told of each process that comes, is redefined and
    goes, the bus of each group that comes and goes.

    Args:
        host: the daemon around the processes, and the bus.
    """

    def __init__(self, host: Host, watchers: Watchers) -> None:
        self._host = host
        self._watchers = watchers
        self._groups: dict[str, Group] = {}
        self._processes: dict[str, Process] = {}
        self._is_sorted = True

    @property
    def processes(self) -> Mapping[str, Process]:
        """All processes by name, in name order."""
        self._sort()
        return MappingProxyType(self._processes)

    @property
    def groups(self) -> Mapping[str, Group]:
        """All active groups by name, in name order."""
        self._sort()
        return MappingProxyType(self._groups)

    @property
    def priorities(self) -> dict[str, int]:
        """The priority of each group."""
        return {group.name: group.priority for group in self._groups.values()}

    def __contains__(self, process: Process) -> bool:
        """Whether ``process`` itself is here, and not one that came after it under its name."""
        return self._processes.get(process.name) is process

    def process(self, name: str) -> Process:
        """The process called ``name``.

        Raises:
            NoSuchProcess: there is none.
        """
        try:
            return self._processes[name]
        except KeyError:
            raise NoSuchProcess(name) from None

    def group(self, name: str) -> Group:
        """The active group called ``name``.

        Raises:
            NoSuchGroup: there is none.
        """
        try:
            return self._groups[name]
        except KeyError:
            raise NoSuchGroup(name) from None

    def named(self, name: str) -> list[Process]:
        """The process called ``name``, or else those of the program called so."""
        if name in self._processes:
            return [self._processes[name]]
        return [process for process in self.processes.values() if process.program == name]

    def present(self, definitions: Iterable[ProcessDefinition]) -> list[Process]:
        """The processes of ``definitions`` in their order, less those that have gone."""
        return [self._processes[d.name] for d in definitions if d.name in self._processes]

    def add(self, definition: GroupDefinition) -> Group:
        """Add a group with its processes.

        One whose name is taken, by a process that outlived the order to leave, is left out.
        """
        group = self._groups[definition.name] = Group(definition, [])
        self._is_sorted = False
        self._fill(group)
        self._host.events.publish(ProcessGroupEvent(group=definition.name, added=True))
        return group

    def redefine(self, group: Group, definition: GroupDefinition) -> None:
        """Give a group another definition and, as `add` does, the processes that it lacks."""
        group.definition = definition
        self._fill(group)
        order = {process.name: index for index, process in enumerate(definition.processes)}
        group.processes.sort(key=lambda process: order.get(process.name, len(order)))

    def redefine_process(self, process: Process, definition: ProcessDefinition) -> None:
        """Have a process take over another definition."""
        process.redefine(definition)
        for watcher in self._watchers.redefined:
            watcher(process)

    def discard(self, group: Group) -> None:
        """Forget a group whose processes are all down."""
        for process in tuple(group.processes):
            self.discard_process(group, process)
        self._groups.pop(group.name, None)
        self._host.events.publish(ProcessGroupEvent(group=group.name, added=False))

    def discard_process(self, group: Group, process: Process) -> None:
        """Forget one process of a group, which is down."""
        group.processes.remove(process)
        self._processes.pop(process.name, None)
        for watcher in self._watchers.removed:
            watcher(process)
        process.retire()

    def _fill(self, group: Group) -> None:
        for definition in group.definition.processes:
            if definition.name not in self._processes:
                process = self._processes[definition.name] = Process(definition, self._host)
                self._is_sorted = False
                group.processes.append(process)
                for watcher in self._watchers.added:
                    watcher(process)

    def _sort(self) -> None:
        # Once for any number that were added, as nobody looks at all of them meanwhile.
        if not self._is_sorted:
            self._groups = dict(sorted(self._groups.items()))
            self._processes = dict(sorted(self._processes.items()))
            self._is_sorted = True
