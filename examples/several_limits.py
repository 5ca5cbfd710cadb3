"""Several limits at once, all or nothing: one report at a time for each customer, and two database slots for each."""

from concurrent.futures import ThreadPoolExecutor

from semaphores import acquire, connect


def report(customer: str) -> str:
    """Write a report, with everything that it needs in hand."""
    with acquire(pools={"reports": 1, "warehouse": 2}, tags={"customer": customer}, timeout=60, priority=1) as lease:
        lease.guard()  # before an effect that must not be doubled
        return f"{customer}: {lease.limits}"


if __name__ == "__main__":
    limits = connect().limits
    limits.set("pool:reports", 3)
    limits.set("pool:warehouse", 4)
    limits.set("tag:customer=*", 1)  # each customer on its own
    with ThreadPoolExecutor(8) as threads:
        for line in threads.map(report, ["ada", "ada", "bob", "cyd", "bob", "ada"]):
            print(line)
