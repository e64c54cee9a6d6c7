#!lua flags=allow-oom
-- Keep a session's place for another while; what keeps an admitted session alive must work when Redis is full.
-- KEYS: sessions, lease, state, key_sessions
--   key_sessions: only where the session has an API key
-- ARGV: id, owner, ttl, resume_ttl, places
--   id, owner: the session's name and uid
--   ttl, resume_ttl: life of the lease, and of the state of a session that may be resumed (s)
--   places: how many it has
-- Returns 1, or 0 where another has the place.
local sessions, lease, state, key_sessions = unpack(KEYS)
local id, owner, ttl, resume_ttl, places = unpack(ARGV)

local holder = redis.call('GET', lease)
if holder and holder ~= owner then return 0 end
local lapses = tonumber(redis.call('TIME')[1]) + ttl
redis.call('SET', lease, owner, 'EX', ttl)
redis.call('EXPIRE', state, resume_ttl)
for place = 1, tonumber(places) do
  local name = place == 1 and id or id .. ' ' .. place
  redis.call('ZADD', sessions, lapses, name)
  if key_sessions then redis.call('ZADD', key_sessions, lapses, name) end
end
if key_sessions then redis.call('EXPIRE', key_sessions, ttl) end
return 1
