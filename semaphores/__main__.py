"""Run the command line as `python -m semaphores`."""

from semaphores.cli import main

if __name__ == "__main__":
    main()
