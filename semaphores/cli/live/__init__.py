"""Live: the parts of `semaphores top`: keys, what they change, what is read, how it is drawn."""
