"""Session: one process in one namespace. Its books, its deadline, its heartbeat; nothing else knows of heartbeats."""
