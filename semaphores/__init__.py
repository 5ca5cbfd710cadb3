"""Distributed counting semaphores on Redis and Valkey: leases, waiting in line, limits that hold everywhere at once."""
