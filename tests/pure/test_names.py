"""Names: no two that differ may look alike in a key, and what cannot stand there is refused in one line."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semaphores import names
from semaphores.errors import InvalidName, InvalidNumber
from semaphores.wording import readable

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
ODD = [
    "a b",
    "a%20b",
    "*",
    "%2A",
    "{x}",
    "}{",
    "a=b",
    "a%3Db",
    "x\0y",
    "x\ny",
    "é",
    "e\u0301",
    "🙂",
    "sha256-" + "0" * 64,
]


def alike(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


@given(TEXT | st.sampled_from(ODD), TEXT | st.sampled_from(ODD))
def test_two_pools_share_a_limit_only_if_they_are_the_same_text(one: str, other: str) -> None:
    assert (names.pool_limit(one) == names.pool_limit(other)) == alike(one, other)


@given(*[TEXT | st.sampled_from(ODD)] * 4)
def test_two_tags_share_a_limit_only_if_key_and_value_are_the_same_text(k: str, v: str, key: str, value: str) -> None:
    same = alike(k, key) and alike(v, value)
    assert (names.tag_value_limit(k, v) == names.tag_value_limit(key, value)) == same
    assert names.tag_value_limit(k, v) != names.tag_limit(key)
    assert names.tag_value_limit(k, v) != names.unique_value_limit(key)


@given(TEXT | st.sampled_from(ODD))
def test_a_name_stands_in_a_key_as_one_printable_word(name: str) -> None:
    limit = names.pool_limit(name)
    assert limit != names.DEFAULT_POOL
    assert not any(char.isspace() or unicodedata.category(char) == "Cc" for char in limit)
    assert (
        unicodedata.normalize("NFC", name) in readable(limit) or not name.isprintable() or "'" in name or "\\" in name
    )


def test_a_long_value_is_hashed_and_no_short_one_can_pretend_to_be_it() -> None:
    long = "x" * 300
    limit = names.tag_value_limit("k", long)
    assert limit.startswith("tag:k=sha256-")
    assert names.tag_value_limit("k", limit.removeprefix("tag:k=")) != limit


def test_braces_never_change_the_slot_of_a_key() -> None:
    assert names.key_prefix("prod") == "sem:{prod}:"
    assert names.pool_limit("{other}") == "pool:{other}"  # the first braces of a key decide


@pytest.mark.parametrize("name", ["", "x" * 201, "\ud800", 5, None, b"db"])
def test_what_cannot_be_a_name_is_refused_in_one_line(name: object) -> None:
    with pytest.raises(InvalidName) as caught:
        names.pool_limit(name)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a{b}", "x" * 65, "ü", "a/b", "a:b", None])
def test_a_namespace_is_a_plain_word(name: object) -> None:
    with pytest.raises(InvalidName):
        names.key_prefix(name)  # type: ignore[arg-type]


@pytest.mark.parametrize("slots", [0, -1, 1001, True, 1.0, math.nan, math.inf, 2**53 + 1, "1", None])
def test_slots_are_a_whole_number_from_1_to_1000(slots: object) -> None:
    with pytest.raises(InvalidNumber):
        names.needs_of({"db": slots}, {})  # type: ignore[dict-item]


@pytest.mark.parametrize("capacity", [-2, 1_000_001, True, 1.5, math.nan, math.inf, 2**53 + 1, "5", None])
def test_a_capacity_is_minus_one_to_a_million(capacity: object) -> None:
    with pytest.raises(InvalidNumber):
        names.capacity(capacity)  # type: ignore[arg-type]
    assert [names.capacity(good) for good in (-1, 0, 1_000_000)] == [-1, 0, 1_000_000]


def test_a_tag_takes_a_slot_of_its_key_and_one_of_its_value() -> None:
    assert names.needs_of({"db": 2}, {"team": "a b"}) == {"pool:db": 2, "tag:team": 1, "tag:team=a%20b": 1}


def test_needs_are_words_in_the_order_in_which_limits_are_tried() -> None:
    assert names.encode_needs({"pool:z": 1, "pool:a": 3}) == "pool:a=3 pool:z=1"


@pytest.mark.parametrize("key", ["job", "location"])
def test_tags_that_the_system_sets_are_refused(key: str) -> None:
    with pytest.raises(InvalidName, match=key):
        names.needs_of({}, {key: "x"})


def test_too_many_tags_or_pools_are_refused() -> None:
    with pytest.raises(InvalidNumber):
        names.needs_of({}, {f"k{i}": "v" for i in range(65)})
    with pytest.raises(InvalidNumber):
        names.needs_of({f"p{i}": 1 for i in range(33)}, {})
