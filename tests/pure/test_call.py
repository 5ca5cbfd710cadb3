"""A call: what goes over the wire, and what the server's words mean."""

from __future__ import annotations

import hiredis
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semaphores.scripts.call import Header, Trouble, build, pack_command, read_reply, trouble_of
from semaphores.scripts.commands import Acquire, Beat, Release, encode
from semaphores.scripts.compose import library


def parsed(data: bytes) -> list[bytes]:
    reader = hiredis.Reader()
    reader.feed(data)
    words = reader.gets()
    assert isinstance(words, list)
    return words


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8))
def test_packed_words_are_what_the_protocol_reads(words: list[bytes]) -> None:
    assert parsed(pack_command(*words)) == words


def test_a_call_is_one_fcall_with_two_keys_a_header_and_its_commands() -> None:
    header = Header("s1", "abc", 10.0, 10.0)
    commands = [encode(Acquire("pool:db=1", "h"), 3), encode(Release(1, "5"), 4)]
    words = parsed(build("sem:{t}:", header, 3, (7, 9), commands))
    assert words[:5] == [b"FCALL", f"{library().name}_call".encode(), b"2", b"sem:{t}:meta", b"sem:{t}:never"]
    told = msgpack.unpackb(words[5])
    assert told == {"session": "s1", "mark": 3, "server": "abc", "epoch": 7, "clock": 9, **told}
    assert {name: told[name] for name in ("ttl", "longest", "alive")} == {"ttl": 10.0, "longest": 10.0, "alive": True}
    assert words[6:] == commands


def test_what_is_absent_or_empty_is_left_out_of_a_command() -> None:
    assert msgpack.unpackb(encode(Acquire("pool:db=1", "h"), 3)) == {
        "op": "acquire", "n": 3, "needs": "pool:db=1", "holder": "h",
    }  # fmt: skip
    assert msgpack.unpackb(encode(Beat(0, 9, [], [4]), 0)) == {
        "op": "beat",
        "n": 0,
        "low": 0,
        "high": 9,
        "awaited": [4],
    }


@given(st.integers(-4096, 4095), st.booleans())
def test_the_quick_way_to_pack_says_the_same_as_the_long_one(priority: int, once: bool) -> None:
    command = Acquire("pool:db=1", "h", priority or None, None, once or None)
    fields = msgpack.unpackb(encode(command, 3))
    assert fields.get("priority") == (priority or None)
    assert fields.get("try") == (once or None)


def test_a_reply_without_extras_has_none() -> None:
    reply = read_reply(msgpack.packb({"epoch": 1795465567050172, "clock": 12}))
    assert (reply.epoch, reply.clock, reply.lost, reply.grace, reply.more, reply.granted) == (
        1795465567050172, 12, False, None, False, (),
    )  # fmt: skip
    assert list(reply.answers) == []


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        ("ERR Function not found", Trouble.LOAD),
        ("OOM command not allowed", Trouble.MEMORY),
        ("LOADING Redis is loading", Trouble.WAIT),
        ("BUSY Redis is busy", Trouble.WAIT),
        ("TRYAGAIN Multiple keys", Trouble.WAIT),
        ("MISCONF Redis is configured", Trouble.WAIT),
        ("READONLY You can't write", Trouble.ELSEWHERE),
        ("MOVED 5 127.0.0.1:1", Trouble.ELSEWHERE),
        ("SEMAPHORES slots.lua:3: oops", Trouble.FATAL),
        ("WRONGTYPE", Trouble.FATAL),
    ],
)
def test_an_error_reply_says_what_to_do(error: str, trouble: Trouble) -> None:
    assert trouble_of(error) is trouble
