"""Six threads want to refresh a table; the pool lets two at a time."""

from collections import Counter
from threading import Lock, Thread

from semaphores import connect, pool

lock, seen = Lock(), Counter(running=0, most=0)


@pool("decorator-example")
def refresh(table: str) -> None:
    """Stand in for work of which a database can only take so much."""
    with lock:
        seen["running"] += 1
        seen["most"] = max(seen["most"], seen["running"])
    sum(range(200_000))
    with lock:
        seen["running"] -= 1
    print(f"refreshed {table}")


if __name__ == "__main__":
    connect().limits.set("pool:decorator-example", 2)
    threads = [Thread(target=refresh, args=(table,)) for table in ("orders", "users", "carts", "items", "tags", "logs")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"at most {seen['most']} at once")
    assert seen["most"] <= 2
