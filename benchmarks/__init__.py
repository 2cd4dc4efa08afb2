"""Measurements against the tools that people use today; each module is run as ``python -m benchmarks.NAME``.

A comparison runs both sides alternately in one process and prints one JSON object with both medians, their ratio,
and the floor: what the part that nobody can avoid takes alone.
"""
