"""The service as processes, and clients that talk to it: for tests, reliability, benchmarks and docs. Never shipped.

It knows nothing of those that use it.
"""
