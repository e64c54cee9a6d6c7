"""`python -m benchmarks simulate`: the whole service as events on a clock of its own, up to ten thousand talkers.

What decides is the service's own code, called with simulated time: the segmenter and the endpointer find utterances in
real speech, `core/capacity` admits and sheds, `workers/batching.pick` makes batches, `workers/costs` learns what they
cost, `workers/engines/echo` says how long one takes. Only what does the work is replaced: web process, Redis and worker
are queues whose service times were measured (`service.py`).
"""
