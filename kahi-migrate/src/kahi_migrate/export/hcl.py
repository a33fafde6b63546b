"""Writing HCL, the language of Nomad."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Scalar = str | int | bool
Value = Scalar | Sequence[Scalar] | Mapping[str, Scalar]


@dataclass(slots=True)
class Block:
    """``kind "label" { … }``: values first, then blocks, each in order. None is left out."""

    kind: str
    label: str = ""
    values: Mapping[str, Value | None] = field(default_factory=dict[str, "Value | None"])
    blocks: Sequence[Block] = ()

    def render(self) -> str:
        """The text of the block."""
        return "\n".join(self.lines()) + "\n"

    def lines(self, indent: str = "") -> Iterator[str]:
        """The lines of the block, each behind ``indent``."""
        label = f' "{self.label}"' if self.label else ""
        yield f"{indent}{self.kind}{label} {{"
        inner = f"{indent}  "
        parts = [
            list(_assignment(inner, key, value)) for key, value in self.values.items() if value is not None
        ]
        yield from (line for part in parts for line in part)
        for number, block in enumerate(self.blocks):
            if parts or number:
                yield ""
            yield from block.lines(inner)
        yield f"{indent}}}"


def quoted(text: str) -> str:
    """Text with what HCL would expand in it escaped; references are put in afterwards."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _assignment(indent: str, key: str, value: Value) -> Iterator[str]:
    if isinstance(value, str) and "\n" in value:
        yield f"{indent}{key} = <<-END"
        yield from (f"{indent}  {line}" for line in value.splitlines())
        yield f"{indent}END"
    elif isinstance(value, Mapping):
        yield f"{indent}{key} = {{"
        yield from (f"{indent}  {json.dumps(name)} = {_scalar(item)}" for name, item in value.items())
        yield f"{indent}}}"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield f"{indent}{key} = [{', '.join(map(_scalar, value))}]"
    else:
        yield f"{indent}{key} = {_scalar(value)}"


def _scalar(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)
