"""Measuring the service from outside: latency, capacity, accuracy, and what the model alone would do.

Run as `python -m benchmarks`; imported by nothing in the product and importing nothing of it. It knows the wire
protocol (docs/protocol.md) and no more, so it measures any server that speaks it.
"""
