"""Whatever a file holds, it loads or is refused as a configuration: no other error, and one line."""

from __future__ import annotations

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from semaphores.config.read import parse_config
from semaphores.errors import ConfigError

KEYS = [
    *(
        "concurrency",
        "runs",
        "pools",
        "limits",
        "max_concurrent_runs",
        "tag_concurrency_limits",
        "key",
        "value",
        "limit",
    ),
    *("env", "dagster", "instance", "config", "redis", "url", "ttl", "namespace", "run_queue", "run_monitoring"),
    *("enabled", "granularity", "default_limit", "description", "applyLimitPerUniqueValue", "execution"),
]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["${A}", "${B:-2}", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=4) | st.integers(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)
SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "concurrency": st.fixed_dictionaries({}, optional={"runs": VALUES, "pools": VALUES}),
        "run_queue": st.fixed_dictionaries(
            {}, optional={"max_concurrent_runs": VALUES, "tag_concurrency_limits": st.lists(VALUES, max_size=3)}
        ),
        "redis": VALUES,
        "dagster": VALUES,
    },
)


def loads_or_is_refused(text: str) -> None:
    said = ""
    try:
        config = parse_config(text, file="f", environment={"A": "1"})
    except ConfigError as error:
        said = str(error)
    if said:
        assert len(said.encode().splitlines()) == 1, "an error is one line that can be printed"
    else:
        assert all(-1 <= spec.capacity <= 1_000_000 and spec.line >= 1 for spec in config.limits.values())


@settings(max_examples=300, deadline=None)
@given(VALUES | SECTIONS)
def test_any_values_load_or_are_refused_as_configuration(value: object) -> None:
    loads_or_is_refused(yaml.safe_dump(value, allow_unicode=True))


@settings(max_examples=500, deadline=None)
@given(
    st.text(max_size=60)
    | st.text(st.sampled_from("&*!|>%@{}[]:,-?#'\"\\ \n\tabx0u~<=${"), max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "redis:",
                "url:",
                "<<:",
                "&a",
                "*a",
                " ",
                "\n",
                "\n  ",
                "- ",
                "{",
                "}",
                "[",
                "]",
                ",",
                "!!int ",
                "!!set ",
                "x",
            ]
        ),
        max_size=20,
    ).map("".join)
)
@example('a: "\\UFFFFFFFF"')
@example('redis: {url: "\\uD800"}')
@example('redis: {"\\uD800": 1}')
@example("%YAML 1." + "9" * 5000 + "\n--- a")
@example("redis: {ttl: !!int x, url: !!bool x, namespace: !!null x}")
@example("redis: {ttl: 1:30, url: 1:30.5, namespace: =}")
@example("redis: {? [a] : 1, ? {b: c} : 2, ~: 3}")
@example("redis: {<<: [*a]}")
@example("redis: {<<: 5, '<<': 6}")
@example("run_coordinator: {[a]: 1, config: {[b]: 2}}")
@example("{}: {}")
@example("\0")
def test_any_text_loads_or_is_refused_as_configuration(text: str) -> None:
    loads_or_is_refused(text)
