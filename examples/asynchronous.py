"""A hundred tasks, five at a time; one of them learns that its lease was taken away."""

import asyncio

from semaphores import AcquireTimeout, LeaseLost, connect, pool

NAME = "async-example"


async def fetch(page: int) -> int:
    """Stand in for a call to somebody's API."""
    async with pool(NAME, timeout=30):
        await asyncio.sleep(0.001)
        return page


async def main() -> None:
    client = connect()
    await client.aio.limits.set(f"pool:{NAME}", 5)
    pages = await asyncio.gather(*(fetch(page) for page in range(100)))
    print(f"fetched {len(pages)} pages, 5 at a time")

    async with pool(NAME, slots=5):
        try:
            async with pool(NAME, slots=5, blocking=False):
                print("nested use borrows the slots that are held already")
        except AcquireTimeout as error:
            print(error)

    try:
        async with pool(NAME) as lease:
            await client.aio.release(lease.id, now=True)  # as an operator would
            await asyncio.sleep(60)  # is cancelled
    except LeaseLost as lost:
        print(lost)


asyncio.run(main())
