"""Results travel as msgpack: what goes through comes back, and what cannot is refused with what to do instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.errors import NotPackable
from workers.packing import MAX_SIZE, NONE, pack, packed_map, unpack

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda each: st.lists(each) | st.dictionaries(st.text() | st.integers(0, 99), each),
    max_leaves=20,
)


@given(plain)
def test_what_is_packed_comes_back(value: object) -> None:
    assert unpack(pack(value, "it")) == value


def test_a_tuple_comes_back_as_a_list_and_a_time_in_utc() -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert unpack(pack((1, moment), "it")) == [1, moment]
    assert unpack(pack(moment, "it")).tzinfo == UTC  # type: ignore[attr-defined]


class Thing:
    pass


REFUSED: list[tuple[Any, str]] = [
    (Thing(), "test_packing.Thing, which cannot be packed"),
    ([{"deep": {1, 2}}], "is of type set in its list, which cannot be packed"),
    (datetime(2026, 1, 1), "is of type datetime.datetime"),
    (2**64, "is of type int, which cannot be packed"),
    ("\ud800", "is of type str, which cannot be packed"),
    ("x" * MAX_SIZE, "1,048,576 .1 MiB. are the most"),
]


@pytest.mark.parametrize(("value", "line"), REFUSED)
def test_what_cannot_travel_is_refused_with_its_type_and_what_to_do(value: object, line: str) -> None:
    with pytest.raises(NotPackable, match=line) as caught:
        pack(value, "the result of op 'extract'")
    assert str(caught.value).startswith("the result of op 'extract' ")
    assert str(caught.value).endswith("pass a path or key instead")
    assert "\n" not in str(caught.value)


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(NotPackable):
        pack(endless, "it")


def test_packed_parts_become_one_map_without_being_packed_again() -> None:
    assert unpack(packed_map({"a": pack([1], "it"), "b": NONE})) == {"a": [1], "b": None}
