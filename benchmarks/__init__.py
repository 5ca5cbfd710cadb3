"""Benchmarks: `python -m benchmarks` measures, and prints the tables of docs/performance.md. No test judges a figure.

One file is one group of figures. Every figure is taken between two takes of its bare counterpart, in the same run.
"""
