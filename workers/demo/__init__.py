"""Demo: a fleet of workers indexes the standard library as runs of a job; one of them is killed on the way."""
