"""Scripts: what the server runs and how it is asked. Pure: values in, values out; no socket, thread or clock."""
