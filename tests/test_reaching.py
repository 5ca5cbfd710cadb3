"""Reaching a server: by every kind of address a slot is acquired, in a thread and in a task; no password ever shows."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from semaphores import ServerUnavailable, ServerUnsuitable, connect
from semaphores.scripts.compose import library
from tests.servers import Server, free_port, server_binary, start_server

PASSWORD = "p@ss/w:rd"  # noqa: S105 (of a server that lives for this test)
ENCODED = "p%40ss%2Fw%3Ard"


def acquires(url: str) -> None:
    """Set a limit, hold it in a thread, then in a task, and see it held."""
    with connect(url, namespace="reach", init=True, ttl=2) as client:
        client.limits.set("pool:db", 1)
        with client.pool("db", timeout=5) as lease:
            assert [held.id for held in client.leases()] == [lease.id]
            assert PASSWORD not in repr(client) + repr(client.connections) + repr(lease)

        async def main() -> None:
            async with client.pool("db", timeout=5):
                assert (await client.aio.status())[0].used == 1

        asyncio.run(main())


def test_by_tcp_with_password_and_database() -> None:
    with start_server() as server, server.client() as plain:
        plain.config_set("requirepass", PASSWORD)
        acquires(f"redis://:{ENCODED}@127.0.0.1:{server.port}/3")
        with redis.Redis(port=server.port, password=PASSWORD, db=3) as raw:
            assert raw.exists("sem:{reach}:meta"), "another database than the address names"


def rights() -> list[str]:
    """No more than what is needed."""
    words = "resetkeys resetchannels ~sem:{* &sem:{* -@all +fcall +fcall_ro +function|load +time +info +ping +select"
    data = "+hmget +hset +hget +hgetall +hdel +hlen +hexists +hkeys +hscan +zadd +zrem +zcard +zrange +zscore +zcount"
    more = "+zrank +zmscore +zscan +exists +del +sadd +srem +srandmember +sscan +scard +smembers +zcount"
    more += " +xadd +xlen +xrevrange +scan"
    wake = "+type +spublish +ssubscribe +client|setname +hello +auth"
    return f"{words} {data} {more} {wake}".split()


def test_by_unix_socket_as_a_user_with_no_more_rights_than_needed() -> None:
    with start_server() as server, server.client() as raw:
        raw.execute_command("ACL", "SETUSER", "sem", "on", f">{PASSWORD}", *rights())
        acquires(f"unix://sem:{ENCODED}@{server.socket}?db=0")


def test_a_user_who_may_not_load_the_library_is_told_which_rights_it_takes() -> None:
    with start_server() as server, server.client() as raw:
        raw.execute_command("ACL", "SETUSER", "sem", "on", f">{PASSWORD}", *rights(), "-function|load")
        url = f"unix://sem:{ENCODED}@{server.socket}"
        with pytest.raises(ServerUnsuitable, match=r"\+function\|load") as caught, connect(url) as client:
            client.limits.set("pool:db", 1)
        assert "\n" not in str(caught.value)
        acquires(server.url)  # by somebody who may
        acquires(url)


def test_a_library_that_is_gone_and_may_not_be_loaded_again_fails_who_asks_and_nobody_hangs() -> None:
    with start_server() as server, server.client() as raw:
        acquires(server.url)
        raw.execute_command("ACL", "SETUSER", "sem", "on", f">{PASSWORD}", *rights(), "-function|load")
        with connect(f"unix://sem:{ENCODED}@{server.socket}", namespace="reach", ttl=2) as client:
            with client.pool("db", timeout=5):
                pass
            raw.function_flush()
            with pytest.raises(ServerUnsuitable, match=r"\+function\|load"):
                client.pool("db", timeout=5).__enter__()

            async def main() -> None:
                raw.function_load(library().text.decode())
                async with client.pool("db", timeout=5):
                    pass
                raw.function_flush()
                with pytest.raises(ServerUnsuitable, match=r"\+function\|load"):
                    await client.pool("db", timeout=5).__aenter__()
                raw.function_load(library().text.decode())
                async with client.pool("db", timeout=5):
                    pass

            asyncio.run(main())


def test_a_wrong_password_is_told_without_showing_it() -> None:
    with start_server() as server, server.client() as plain:
        plain.config_set("requirepass", PASSWORD)
        with pytest.raises(ServerUnavailable) as caught, connect(f"redis://:wr%40ng@127.0.0.1:{server.port}") as client:
            client.pool("db", timeout=0.3).__enter__()
        assert "wr@ng" not in str(caught.value)
        assert "wr%40ng" not in str(caught.value)


@pytest.fixture
def node() -> Iterator[Server]:
    """A cluster of one node, which has every slot."""
    with start_server(extra=("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")) as server:
        with server.client() as raw:
            raw.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            until = time.monotonic() + 10
            while "cluster_state:ok" not in str(raw.execute_command("CLUSTER", "INFO")):
                assert time.monotonic() < until, "the cluster did not come up"
                time.sleep(0.02)  # it tells nobody
        yield server


def test_by_cluster(node: Server) -> None:
    acquires(f"redis+cluster://127.0.0.1:{node.port}")


def test_by_sentinel(tmp_path: Path) -> None:
    with start_server() as server:
        port = free_port()
        config = tmp_path / "sentinel.conf"
        config.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {server.port} 1\n")
        sentinel = subprocess.Popen(
            [server_binary(), config, "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until = time.monotonic() + 10
            with redis.Redis(port=port) as raw:
                while True:
                    try:
                        raw.ping()
                        break
                    except redis.ConnectionError:
                        assert time.monotonic() < until, "the sentinel did not come up"
                        time.sleep(0.02)  # it tells nobody
            acquires(f"redis+sentinel://127.0.0.1:{port}/main")
        finally:
            sentinel.terminate()
            sentinel.wait(10)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: no certificate can be made")
def test_by_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate, port = tmp_path / "key.pem", tmp_path / "cert.pem", free_port()
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    tls = ("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key))
    others = [found for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    for binary in (str(server_binary()), *others):  # the one that ships with the project is built without TLS
        monkeypatch.setenv("SEMAPHORES_TEST_SERVER", binary)
        try:
            with start_server(extra=(*tls, "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no")):
                monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
                acquires(f"rediss://localhost:{port}")
                return
        except RuntimeError as error:
            if "tls" not in str(error).lower():
                raise
    pytest.skip("no server here was built with TLS")
