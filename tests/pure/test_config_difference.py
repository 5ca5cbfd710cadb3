"""What applying a configuration would do to the limits in force."""

from __future__ import annotations

import yaml
from hypothesis import given
from hypothesis import strategies as st

from semaphores.config.difference import Change, InForce, difference
from semaphores.config.read import parse_config


def test_applying_sets_what_the_file_names_whoever_set_it() -> None:
    config = parse_config("concurrency: {pools: {limits: {a: 1, b: {limit: 2, description: new}, c: 3, d: 4}}}")
    in_force = {
        "pool:b": InForce(2, "old", "file"),
        "pool:c": InForce(9, "", "hand"),
        "pool:d": InForce(4, "", "file"),
    }
    assert difference(config, in_force, prune=False) == [
        Change("pool:a", None, InForce(1, "", "file"), "add"),
        Change("pool:b", InForce(2, "old", "file"), InForce(2, "new", "file"), "change"),
        Change("pool:c", InForce(9, "", "hand"), InForce(3, "", "file"), "change"),
    ], "what already is as the file says is no change"


def test_pruning_deletes_what_came_from_a_file_and_leaves_what_was_set_by_hand() -> None:
    in_force = {"pool:a": InForce(1, "", "file"), "pool:b": InForce(2, "", "hand")}
    kinds = {change.limit: change.kind for change in difference(parse_config(""), in_force, prune=True)}
    assert kinds == {"pool:a": "delete", "pool:b": "keep-by-hand"}
    kinds = {change.limit: change.kind for change in difference(parse_config(""), in_force, prune=False)}
    assert kinds == {"pool:a": "keep-unless-pruned", "pool:b": "keep-by-hand"}


def test_a_paused_limit_stays_paused_with_the_new_capacity_behind_it() -> None:
    config = parse_config("concurrency: {pools: {limits: {a: 5}}}")
    (change,) = difference(config, {"pool:a": InForce(1, "", "file", paused=True)}, prune=False)
    assert change.after == InForce(5, "", "file", paused=True)
    assert str(change) == "change pool 'a': 1 -> 5, once it is resumed"


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3)),
    st.dictionaries(
        st.sampled_from("abcd"), st.builds(InForce, st.integers(0, 3), origin=st.sampled_from(["file", "hand"]))
    ),
    st.booleans(),
)
def test_after_applying_the_difference_there_is_none_left(
    named: dict[str, int], before: dict[str, InForce], prune: bool
) -> None:
    config = parse_config(yaml.safe_dump({"concurrency": {"pools": {"limits": named}}}))
    in_force = {f"pool:{name}": limit for name, limit in before.items()}
    for change in difference(config, in_force, prune=prune):
        if change.after is None:
            del in_force[change.limit]
        else:
            in_force[change.limit] = change.after
    assert all(in_force[f"pool:{name}"].capacity == number for name, number in named.items())
    left = difference(config, in_force, prune=prune)
    assert {change.kind for change in left} <= {"keep-by-hand", "keep-unless-pruned"}
    assert not prune or all(change.kind == "keep-by-hand" for change in left)
