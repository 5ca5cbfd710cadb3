"""Transport: the only sockets. How a server is found, and how bytes go there and come back."""
