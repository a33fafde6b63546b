"""Data near to what is right: pieces of a corpus, cut, doubled, mixed, and with what parsers trip over."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import strategies as st

CORPUS = Path(__file__).with_name("corpus")

TRIPWIRES = (
    b"\0 \xff \xc3 \r \n \r\n \t \x0b \x0c \x1b \x85 \xe2\x80\xa8 = : [ ] { } ( ) % %( %% $ ${ # ; ' \" \\ "
    b"\"\"\" ''' -1 0 1e999 nan 999999999999999999999 00 \xf0\x9f\x90\x9d ../ * ** \xef\xbb\xbf"
).split(b" ")


def seeds(kind: str) -> list[bytes]:
    """What is in the corpus of a kind of data."""
    return [path.read_bytes() for path in sorted((CORPUS / kind).iterdir())]


@st.composite
def _mutated(draw: st.DrawFn, kinds: tuple[bytes, ...], words: tuple[bytes, ...]) -> bytes:
    data = draw(st.sampled_from(kinds))
    for _ in range(draw(st.integers(0, 6))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 40)))
        match draw(st.integers(0, 4)):
            case 0:
                data = data[:begin] + data[end:]
            case 1:
                data = data[:end] + data[begin:end] * draw(st.integers(1, 50)) + data[end:]
            case 2:
                data = data[:begin] + draw(st.sampled_from(words)) + data[end:]
            case 3:
                data = data[:begin] + draw(st.binary(max_size=8)) + data[end:]
            case _:
                other = draw(st.sampled_from(kinds))
                at = draw(st.integers(0, len(other)))
                data = data[:begin] + other[at:]
    return data


def mutated(kind: str, *words: bytes) -> st.SearchStrategy[bytes]:
    """Mutations of what is in a corpus; now and then anything.

    Args:
        words: of the language, besides what all parsers trip over.
    """
    return st.one_of(
        _mutated(tuple(seeds(kind)), (*TRIPWIRES, *words)),
        st.lists(st.sampled_from((*TRIPWIRES, *words)), max_size=30).map(b"".join),
        st.binary(max_size=200),
    )


def cuts(data: bytes, places: list[int]) -> list[bytes]:
    """``data`` in pieces that end at ``places``, which may be anywhere."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(ends)]


PLACES = st.lists(st.integers(0, 4096), max_size=12)
"""Where data is cut."""
