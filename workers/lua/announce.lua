#!lua flags=allow-oom
-- Say that a worker is there, and whether it takes jobs; it counts even while Redis is full.
-- KEYS: beat, workers
-- ARGV: worker_id, heartbeat, ttl_ms, retiring
--   heartbeat: JSON; ttl_ms: how long it counts; retiring: '1' where jobs in hand are finished and no more are taken
local beat, workers = unpack(KEYS)
local worker_id, heartbeat, ttl_ms, retiring = unpack(ARGV)

redis.call('SET', beat, heartbeat, 'PX', ttl_ms)
redis.call(retiring == '1' and 'SREM' or 'SADD', workers, worker_id)
