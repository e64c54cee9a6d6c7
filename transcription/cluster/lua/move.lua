#!lua flags=allow-oom
-- Move the step of shedding, or confirm it: the first of the processes that saw the same one does, others read the new.
-- KEYS: shedding
-- ARGV: seen, step, ttl
--   seen: the step as it was read; step: what it becomes; ttl: after how long it is forgotten (s)
-- Returns 1, or 0 where another was first.
local shedding = KEYS[1]
local seen, step, ttl = unpack(ARGV)

if (redis.call('HGET', shedding, 'step') or '0') ~= seen then return 0 end
local time = redis.call('TIME')
redis.call('HSET', shedding, 'step', step, 'at_ms', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('EXPIRE', shedding, ttl)
return 1
