"""A web endpoint of which the database can take two at a time, in all server processes on all hosts together.

    semaphores pool set reports 2
    uvicorn fastapi_endpoint:app --workers 4

Who cannot be served within two seconds is told to come back, instead of waiting until a proxy gives up.
"""

import asyncio

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from semaphores import AcquireTimeout, pool

app = FastAPI()


@app.get("/reports/{customer}")
async def report(customer: str, seconds: float = 0.1) -> dict[str, str | int | None]:
    """Stand in for a query that the database can take twice at a time."""
    async with pool("reports", timeout=2) as lease:
        await asyncio.sleep(seconds)  # is cancelled if the lease is lost
        return {"customer": customer, "token": lease.token}


@app.exception_handler(AcquireTimeout)
async def full(request: Request, error: AcquireTimeout) -> JSONResponse:
    """Answer what waited too long. The error says who holds the slots: that is for the log, not for a visitor."""
    return JSONResponse({"detail": f"{error.limit} is full"}, status_code=503, headers={"Retry-After": "5"})
