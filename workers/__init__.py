"""Workers: processes that take runs from queues and execute them within the limits of `semaphores`."""
