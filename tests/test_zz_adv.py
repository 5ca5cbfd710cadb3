import asyncio, threading, time, sys, os
import pytest, semaphores
from semaphores import LeaseLost
from tests.faults.traffic import client_of, another, wait_until
from tests.servers import start_server
from semaphores.session.ledger import Awaiting

def nothing_left(c, p=4): return wait_until("nothing left", lambda: not c.leases() and not c.requests(), p)

def test_double_cancel(server, namespace):
    with client_of(server.url, namespace, 1.0, db=1, api=1) as c:
        out=[]
        async def work():
            try:
                async with c.pool("db"):
                    async with c.acquire(pools={"db":1,"api":1}):
                        c.connections.session.over("planted")
                        await asyncio.sleep(5)
            except LeaseLost: out.append("lost"); return "x"
        async def main():
            t=asyncio.create_task(work())
            done,_=await asyncio.wait([t], timeout=3)
            out.append((t.cancelled(), t.cancelling()))
        asyncio.run(main())
        assert out[0]=="lost", out

def test_over_race(server, namespace):
    with client_of(server.url, namespace, 1.0, db=1) as c:
        s=c.connections.session
        sys.setswitchinterval(1e-6)
        stop=threading.Event(); reqs=[]
        def ask():
            while not stop.is_set():
                r=Awaiting("pool:db=1","h",0,lambda:None); s.ask_for(r); reqs.append(r)
                if len(reqs)%20==0:
                    for x in reqs[-20:-1]: s.give_up(x)
        ts=[threading.Thread(target=ask) for _ in range(2)]
        [t.start() for t in ts]
        for _ in range(300): s.over("x"); time.sleep(0.0005)
        stop.set(); [t.join() for t in ts]; sys.setswitchinterval(.005)
        miss=[r for r in reqs if not r.given_up and s.ledger.awaited.get(r.n) is not r]
        assert not miss, (len(miss), len(reqs))
        s.close()

def test_short_grace(server):
    with start_server() as srv, srv.client() as raw, client_of(srv.url,"n",10.0,db=1) as holder:
        short = semaphores.connect(srv.url, namespace="n", ttl=1)
        with holder.pool("db") as lease:
            short.limits.set("pool:x", 3)
            raw.flushall()
            got=[]
            try:
                with short.pool("db", timeout=3) as l2:
                    got.append((l2.id, lease.lost))
            except Exception as e: got.append(repr(e))
            print(got, lease.lost, raw.hgetall("sem:{n}:meta"))
            assert not lease.lost and "Timeout" in str(got)
        short.close()

@pytest.mark.parametrize("kind",["holder","waiter"])
@pytest.mark.parametrize("keep",[True,False])
def test_closed_loop(server, namespace, kind, keep):
    with client_of(server.url, namespace, 1.0, db=1) as c, another(c) as other:
        loop=asyncio.new_event_loop()
        async def w():
            async with c.pool("db"):
                await asyncio.sleep(100)
        async def main():
            t=asyncio.create_task(w()); await asyncio.sleep(.3); return t
        if kind=="waiter":
            with other.pool("db"):
                t=loop.run_until_complete(main()); loop.close()
                if not keep: del t
                import gc; gc.collect()
        else:
            t=loop.run_until_complete(main()); loop.close()
            if not keep: del t
            import gc; gc.collect()
        if kind=="holder" and keep: return
        took=nothing_left(other)
        print(took)

def test_close_while_leading(server, namespace):
    errs=[]
    for i in range(30):
        with client_of(server.url, namespace, 1.0, db=50) as c:
            stop=threading.Event()
            def w():
                while not stop.is_set():
                    try:
                        with c.pool("db", timeout=3): pass
                    except semaphores.SemaphoresError as e: errs.append(type(e).__name__)
                    except BaseException as e: errs.append("BUG "+repr(e)); raise
            ts=[threading.Thread(target=w) for _ in range(4)]
            [t.start() for t in ts]; time.sleep(.05); c.close(); time.sleep(.02); stop.set()
            [t.join(8) for t in ts]
            if any(t.is_alive() for t in ts): errs.append("BUG alive")
    from collections import Counter
    print(Counter(errs))
    assert not [e for e in errs if e.startswith("BUG")]

def test_close_time_frozen():
    with start_server() as srv, client_of(srv.url,"n",10.0,db=1) as c:
        c2=another(c)
        p=c2.pool("db"); p.__enter__()
        time.sleep(.3)
        srv.freeze(); t=time.monotonic(); c2.close(); took=time.monotonic()-t; srv.thaw()
        print("close took", took); assert took<2.2

def test_wrong_host_key(server, namespace):
    with server.client() as raw:
        c=semaphores.connect(server.url, namespace=namespace, ttl=1, init=True); c.limits.set("pool:db",1)
        from semaphores.session.process import host_key
        k=f"sem:{{{namespace}}}:host:{host_key()}"; raw.delete(k); raw.set(k,"x")
        n0=raw.info("stats")["total_commands_processed"]; t=time.monotonic()
        try:
            with c.pool("db", timeout=2): print("granted")
        except Exception as e: print(repr(e))
        print(time.monotonic()-t, raw.info("stats")["total_commands_processed"]-n0)
        c.close()
