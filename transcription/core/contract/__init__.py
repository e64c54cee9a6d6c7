"""What web processes and workers agree on: jobs and results, heartbeats, keys in Redis, channel-layer messages."""
