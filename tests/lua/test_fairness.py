"""Fairness and cost: nobody starves, nobody barges, and a hand-off costs the same however many wait."""

from __future__ import annotations

from collections.abc import Mapping

from semaphores.scripts.commands import Acquire, Release
from tests.lua.harness import Calls, Plant, Session, number
from tests.servers import Server

ROUNDS = 120


def rounds_until_granted(calls: Calls) -> int | None:
    """Streams of requests for a and for b beside one request for both; the rounds until that one is granted."""
    session = calls.session("alice")
    calls.limit(session, a=1, b=1)
    held: dict[str, list[tuple[int, str]]] = {"a": [], "b": []}
    kinds: dict[int, str] = {}

    def taken(granted: Mapping[int, str]) -> None:
        for n, token in granted.items():
            held.setdefault(kinds[n], []).append((n, token))

    def ask(needs: str, kind: str) -> None:
        answer = session.acquire(needs)
        kinds[number(answer)] = kind
        if answer["answer"] == "granted":
            taken({number(answer): str(answer["token"])})

    for kind in "ab":
        ask(f"pool:{kind}=1", kind)
    ask("pool:a=1 pool:b=1", "both")
    for count in range(ROUNDS):
        for kind in "ab":
            ask(f"pool:{kind}=1", kind)
        for kind in "ab":
            if held[kind]:
                n, token = held[kind].pop(0)
                taken(session.send(Release(n, token)).granted)
        if held.get("both"):
            return count
    return None


def test_a_request_for_two_limits_is_granted_beside_streams_of_each(calls: Calls) -> None:
    rounds = rounds_until_granted(calls)
    assert rounds is not None
    assert rounds <= 10, f"granted after {rounds} rounds"
    assert calls.hash("meta")["reserving"] == ""


def test_without_the_guard_it_would_never_be_granted(server: Server, namespace: str) -> None:
    never: Plant = lambda text: text.replace("MOST_MOVES = 8", "MOST_MOVES = 1000000")  # noqa: E731
    calls = Calls(server, namespace, (never,))
    assert rounds_until_granted(calls) is None
    calls.close()


def test_nobody_passes_a_waiter_of_higher_or_equal_priority(calls: Calls, alice: Session) -> None:
    calls.limit(alice, db=2)
    held = alice.acquire("pool:db=1")
    big = alice.acquire("pool:db=2")
    assert alice.acquire("pool:db=1")["answer"] == "waits"
    assert alice.acquire("pool:db=1", priority=1)["answer"] == "granted"
    assert alice.release(held).granted == {}
    assert big["answer"] == "waits"


def test_higher_priority_first_then_first_come_first_served(calls: Calls, alice: Session) -> None:
    held = alice.acquire("pool:db=1")
    waiting = [(priority, number(alice.acquire("pool:db=1", priority=priority))) for priority in (0, 4095, 0, -4096, 1)]
    expected = [n for _, n in sorted(waiting, key=lambda found: (-found[0], found[1]))]
    order: list[int] = []
    token = str(held["token"])
    n = number(held)
    while len(order) < len(expected):
        ((n, token),) = alice.release({"n": n, "token": token}).granted.items()
        order.append(n)
    assert order == expected


def test_a_hand_off_costs_the_server_the_same_however_many_wait(own_server: Server) -> None:
    costs: dict[int, list[float]] = {10: [], 10_000: []}
    for attempt in range(4):
        for waiters in costs:
            calls = Calls(own_server, f"w{waiters}-{attempt}")
            costs[waiters].append(cost_of_hand_off(calls, waiters))
            calls.connection.flushall()
            calls.close()
    few, many = (min(found) for found in costs.values())
    assert many <= 1.5 * few, f"{few:.1f} µs with 10 waiters, {many:.1f} µs with 10,000: {costs}"


def cost_of_hand_off(calls: Calls, waiters: int) -> float:
    """Processor time of the server, in µs, for a call that releases, hands over and asks again."""
    session = calls.session("alice")
    calls.limit(session, db=1)
    held = session.acquire("pool:db=1")
    n, token = number(held), str(held["token"])
    for first in range(0, waiters, 250):
        session.send(*[Acquire("pool:db=1", "x")] * min(250, waiters - first))
    before = processor_time(calls)
    for _ in range(400):
        reply = session.send(Release(n, token), Acquire("pool:db=1", "x"))
        ((n, token),) = reply.granted.items()
    return (processor_time(calls) - before) / 400 * 1e6


def processor_time(calls: Calls) -> float:
    """Seconds the server has computed; unlike its wall time, not what other programs took."""
    found = calls.connection.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])
