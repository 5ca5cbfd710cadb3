"""Stored lines are read back as they were written; one that cannot be read gives what it has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from semaphores.names import encode_needs, pool_limit, tag_limit, tag_value_limit
from semaphores.scripts.stored import LimitInfo, Line, parse_info, parse_line

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda name: len(name.encode()) <= 100)
LIMITS = st.one_of(
    NAMES.map(pool_limit), NAMES.map(tag_limit), st.tuples(NAMES, NAMES).map(lambda tag: tag_value_limit(*tag))
)


@given(st.dictionaries(LIMITS, st.integers(1, 1000), min_size=1, max_size=5), st.integers(1, 2**52))
def test_a_lease_of_any_names_is_read_back(slots: dict[str, int], token: int) -> None:
    line = parse_line(f"{encode_needs(slots)} token={token} holder=h:1:t since=1500")
    assert line == Line(slots, "h:1:t", 1.5, token)


def test_a_limit_named_like_a_field_is_no_field() -> None:
    line = parse_line("pool:a=2 tag:token=x=1 tag:since=1 token=7 holder=host:1:My%20Thread since=2000 revoked=root@h")
    assert line.slots == {"pool:a": 2, "tag:token=x": 1, "tag:since": 1}
    assert (line.token, line.holder, line.since, line.revoked) == (7, "host:1:My Thread", 2.0, "root@h")


def test_an_order_carries_the_priority() -> None:
    for priority in (-4096, 0, 7, 4095):
        assert parse_line(f"pool:a=1 order={(4095 - priority) * 2**40 + 12} group=ab").priority == priority


def test_a_line_that_cannot_be_read_gives_what_it_has() -> None:
    assert parse_line("by hand") == Line({}, "unknown", None)
    assert parse_line("") == Line({}, "unknown", None)
    assert parse_line("pool:a=1 token=x holder=h since=soon") == Line({"pool:a": 1}, "h", None)


def test_what_is_known_of_a_limit_is_read_back() -> None:
    known = parse_info("origin=file version=3 by=me at=1500 paused_from=4 description=by=you, at=least twice")
    assert known == LimitInfo("file", 3, "me", 1500.0, 4, "by=you, at=least twice")
    assert parse_info("origin=hand version=1 by=me at=1 paused_from=none").paused_from == -1
    assert parse_info(None) == LimitInfo()
