"""Who starts and stops before whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kahi.definition import ProcessDefinition, SpawnSpec
from kahi.supervisor.ordering import start_order, stop_waves, with_dependencies


def process(name: str, priority: int = 999, *needs: str) -> ProcessDefinition:
    return ProcessDefinition(
        name=name,
        program=name,
        group=name,
        spawn=SpawnSpec(command=("x",)),
        priority=priority,
        depends_on=tuple((need, "running") for need in needs),
    )


def names(definitions: list[ProcessDefinition]) -> list[str]:
    return [definition.name for definition in definitions]


def test_rising_priority_then_names() -> None:
    assert names(start_order([process("b", 5), process("c", 1), process("a", 5)], {})) == ["c", "a", "b"]


def test_the_group_counts_before_the_process() -> None:
    assert names(start_order([process("a", 1), process("b", 2)], {"a": 9, "b": 3})) == ["b", "a"]


def test_waves_fall_in_priority() -> None:
    waves = stop_waves([process("a", 1), process("b", 2), process("c", 2)], {})
    assert [sorted(names(wave)) for wave in waves] == [["b", "c"], ["a"]]


def test_dependants_stop_first_whatever_the_priorities() -> None:
    waves = stop_waves([process("db", 9), process("web", 1, "db")], {})
    assert [names(wave) for wave in waves] == [["web"], ["db"]]


programs = st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 9), max_size=3)), max_size=10).map(
    lambda entries: [
        process(str(number), priority, *(str(need) for need in needs if need < number))
        for number, (priority, needs) in enumerate(entries)
    ]
)


@given(programs)
def test_every_process_is_in_one_wave_after_all_that_need_it(definitions: list[ProcessDefinition]) -> None:
    waves = stop_waves(definitions, {})
    wave_of = {definition.name: number for number, wave in enumerate(waves) for definition in wave}
    assert sorted(wave_of) == sorted(names(definitions))
    for definition in definitions:
        for need, _ in definition.depends_on:
            assert wave_of[definition.name] < wave_of[need]


@given(programs)
def test_what_is_needed_comes_along_and_before(definitions: list[ProcessDefinition]) -> None:
    by_name = {definition.name: definition for definition in definitions}
    found = names(with_dependencies(definitions[-1:], lambda name, _: [by_name[name]]))
    assert len(found) == len(set(found))
    for position, name in enumerate(found):
        for need, _ in by_name[name].depends_on:
            assert found.index(need) < position
