#!lua flags=allow-oom
-- Keep a session's place for another while; what keeps an admitted session alive must work when Redis is full.
-- KEYS: sessions, lease, state, key_sessions
--   key_sessions: only where the session has an API key
-- ARGV: id, owner, ttl, resume_ttl
--   id, owner: the session's name and uid
--   ttl, resume_ttl: life of the lease, and of the state of a session that may be resumed (s)
-- Returns 1, or 0 where another has the place.
local sessions, lease, state, key_sessions = unpack(KEYS)
local id, owner, ttl, resume_ttl = unpack(ARGV)

local holder = redis.call('GET', lease)
if holder and holder ~= owner then return 0 end
local lapses = tonumber(redis.call('TIME')[1]) + ttl
redis.call('SET', lease, owner, 'EX', ttl)
redis.call('EXPIRE', state, resume_ttl)
redis.call('ZADD', sessions, lapses, id)
if key_sessions then
  redis.call('ZADD', key_sessions, lapses, id)
  redis.call('EXPIRE', key_sessions, ttl)
end
return 1
