#!lua flags=allow-oom
-- The cluster at one moment. It writes nothing, and does not say so: a server that has become a replica refuses it.
-- KEYS: sessions, starting, counters, shedding, workers, unacked, (queue)...
--   queue: a list of waiting jobs; the first one's are finals, the last one's finals of recordings
-- ARGV: starting_ms, settled_ms, worker_prefix, final_priority, recorded_priority
--   starting_ms, settled_ms: how long a session counts as starting, and as not settled
--   worker_prefix: what the keys of heartbeats begin with; their rest is in `workers`
--   final_priority, recorded_priority: Celery's, of finals and of finals of recordings
-- Returns sessions, those not settled, those starting; finals, partials and finals of recordings that wait, and the
--   same that run; requests for a place, and those rejected; the step of shedding, and how long it has held (ms); memory used, and
--   allowed (bytes; 0: any); heartbeats.
local sessions, starting, counters, shedding, workers, unacked = unpack(KEYS)
local starting_ms, settled_ms, worker_prefix, final_priority, recorded_priority = unpack(ARGV)

local time = redis.call('TIME')
local now, now_ms = tonumber(time[1]), time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', sessions, '-inf', now)
redis.call('ZREMRANGEBYSCORE', starting, '-inf', now_ms - settled_ms)

local waiting = {0, 0, 0}
for i = 7, #KEYS do
  local kind = i == 7 and 1 or i == #KEYS and 3 or 2
  waiting[kind] = waiting[kind] + redis.call('LLEN', KEYS[i])
end
-- a job in a worker's hand lies in `unacked` with its message, whose JSON names its priority
local running = {0, 0, 0}
for _, message in ipairs(redis.call('HVALS', unacked)) do
  local priority = string.match(message, '"priority":%s*(%d+)[,}]')
  local kind = priority == final_priority and 1 or priority == recorded_priority and 3 or 2
  running[kind] = running[kind] + 1
end

local beats = {}
for _, id in ipairs(redis.call('SMEMBERS', workers)) do
  local beat = redis.call('GET', worker_prefix .. id)
  if beat then beats[#beats + 1] = beat else redis.call('SREM', workers, id) end
end

local counted = redis.call('HMGET', counters, 'requests', 'rejected')
local step = redis.call('HMGET', shedding, 'step', 'at_ms')
local info = redis.pcall('INFO', 'memory')
local used, most = 0, 0
if type(info) == 'string' then
  used = string.match(info, 'used_memory:(%d+)') or 0
  most = string.match(info, 'maxmemory:(%d+)') or 0
end
return {
  redis.call('ZCARD', sessions), redis.call('ZCARD', starting),
  redis.call('ZCOUNT', starting, now_ms - starting_ms, '+inf'),
  waiting[1], waiting[2], waiting[3], running[1], running[2], running[3], counted[1] or 0, counted[2] or 0,
  step[1] or 0, now_ms - (step[2] or now_ms), tonumber(used), tonumber(most), beats,
}
