"""What a server's address may look like, and that its password is never shown."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semaphores.errors import InvalidUrl
from semaphores.transport.url import Endpoint, parse_url


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("redis://localhost", Endpoint("single", (("localhost", 6379),))),
        ("redis://db-1.example:7000/3", Endpoint("single", (("db-1.example", 7000),), database=3)),
        ("REDIS://h/", Endpoint("single", (("h", 6379),))),
        (" redis://h\n", Endpoint("single", (("h", 6379),))),
        ("redis://h?db=4", Endpoint("single", (("h", 6379),), database=4)),
        ("rediss://h", Endpoint("single", (("h", 6379),), tls=True)),
        ("redis://[::1]", Endpoint("single", (("::1", 6379),))),
        ("redis://[fe80::1%25eth0]:7000/1", Endpoint("single", (("fe80::1%eth0", 7000),), database=1)),
        ("redis://u:p@h", Endpoint("single", (("h", 6379),), username="u", password="p")),
        ("redis://:p%40%2F%25@h", Endpoint("single", (("h", 6379),), password="p@/%")),
        ("redis://u:@h", Endpoint("single", (("h", 6379),), username="u", password="")),
        ("redis://:@h", Endpoint("single", (("h", 6379),))),
        ("unix:///run/a%20b.sock", Endpoint("unix", path="/run/a b.sock")),
        ("unix://u:p@/s?db=2", Endpoint("unix", path="/s", username="u", password="p", database=2)),
        (
            "redis+sentinel://:p@h1,h2:7,[::1]:8/main/5",
            Endpoint("sentinel", (("h1", 26379), ("h2", 7), ("::1", 8)), service="main", password="p", database=5),
        ),
        ("rediss+sentinel://h/m", Endpoint("sentinel", (("h", 26379),), service="m", tls=True)),
        ("redis+cluster://h1,h2:7", Endpoint("cluster", (("h1", 6379), ("h2", 7)))),
        ("rediss+cluster://h/1", Endpoint("cluster", (("h", 6379),), database=1, tls=True)),
    ],
)
def test_an_address_is_read(text: str, endpoint: Endpoint) -> None:
    assert parse_url(text) == endpoint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "such as redis://"),
        ("localhost:6379", "has no scheme"),
        ("redi://h", "did you mean redis://?"),
        ("valkey://h", "did you mean redis://?"),
        ("valkeys://h", "did you mean rediss://?"),
        ("redis+sentinal://h/s", "did you mean redis+sentinel://?"),
        ("sentinel://h/s", "did you mean redis+sentinel://?"),
        ("redis-cluster://h", "did you mean redis+cluster://?"),
        ("zzzzzzz://h", "(known are redis://"),
        ("redis://", "needs a host"),
        ("redis://h:0", "from 1 to 65535"),
        ("redis://h:65536", "from 1 to 65535"),
        ("redis://h:12a", "from 1 to 65535"),
        ("redis://h/-1", "a number from 0"),
        ("redis://h/zero", "a number from 0"),
        ("redis://h/1?db=2", "two databases"),
        ("redis://h?timeout=3", "only ?db="),
        ("redis://h#x", "has a '#'"),
        ("redis://a b", "blanks"),
        ("redis://h1,h2", "several hosts need redis+sentinel"),
        ("redis://::1:6379", "stands in brackets"),
        ("redis://[::g]", "cannot be read"),
        ("redis://[::1]6379", "cannot be read"),
        ("redis://user@h", "write USER:PASSWORD@"),
        ("redis://u:%zz@h", "cannot be decoded"),
        ("redis://u:%ff@h", "cannot be decoded"),
        ("redis+sentinel://h1,h2", "name of its service"),
        ("redis+sentinel://h1,,h2/s", "needs a host"),
        ("unix://relative/path", "absolute path"),
        ("unix://", "absolute path"),
        ("unix:///a%00b", "cannot be decoded"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(text: str, hint: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        parse_url(text)
    assert hint in str(caught.value)
    assert "\n" not in str(caught.value)


hosts = st.from_regex(r"[a-z][a-z0-9.-]{0,10}", fullmatch=True) | st.ip_addresses(v=6).map(lambda ip: f"[{ip}]")
addresses = st.lists(st.builds("{}:{}".format, hosts, st.integers(1, 65535)), min_size=1, max_size=3)
passwords = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=20)


@st.composite
def urls(draw: st.DrawFn, credentials: str) -> str:
    kind = draw(st.sampled_from(["single", "sentinel", "cluster", "unix"]))
    database = draw(st.integers(0, 99))
    if kind == "unix":
        path = draw(st.from_regex(r"/[a-z./%]{1,20}", fullmatch=True))
        return f"unix://{credentials}{quote(path)}?db={database}"
    some = draw(addresses)
    tls = draw(st.sampled_from(["redis", "rediss"]))
    if kind == "single":
        return f"{tls}://{credentials}{some[0]}/{database}"
    return f"{tls}+{kind}://{credentials}{','.join(some)}{'/main' if kind == 'sentinel' else ''}/{database}"


@given(st.data(), passwords, passwords.filter(bool))
def test_an_endpoint_shows_all_but_its_password(data: st.DataObject, user: str, password: str) -> None:
    endpoint = parse_url(data.draw(urls(f"{quote(user, safe='')}:{quote(password, safe='')}@")))
    assert endpoint.password == password
    assert endpoint.username == (user or None)
    for other in (endpoint, replace(endpoint, password="another")):  # what is shown does not depend on it
        assert str(other) == other.redacted == str(endpoint)
        assert repr(other) == repr(endpoint)
    assert parse_url(str(endpoint)) == replace(endpoint, password="***")


secrets = st.text(st.sampled_from("/?#@:,%[] \\&=+\n\té✓") | st.characters(codec="ascii"), max_size=12)


@given(st.data(), secrets, st.sampled_from(["", "u"]))
def test_a_password_never_appears_even_if_it_was_not_encoded(data: st.DataObject, tail: str, user: str) -> None:
    secret = f"Zq7Xw{tail}Kj9Vb"  # marks that no message holds by itself
    text = data.draw(urls(f"{user}:{secret}@"))
    try:
        endpoint = parse_url(text)
    except InvalidUrl as error:
        shown = f"{error} {error!r}"
    else:
        shown = f"{endpoint} {endpoint!r}"
    assert "Zq7Xw" not in shown
    assert "Kj9Vb" not in shown


@given(st.text(max_size=40) | st.text(max_size=40).map("redis://{}".format))
def test_any_text_is_either_read_or_refused_with_one_line(text: str) -> None:
    try:
        shown = str(parse_url(text))
    except InvalidUrl as error:
        shown = str(error)
    assert len(shown.splitlines()) == 1
