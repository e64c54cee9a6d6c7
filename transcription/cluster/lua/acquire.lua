#!lua
-- Take a session's place, if there is one: looking and taking in one. Without the first line a full Redis would look
-- at each write, and let all pass after one that it allows, such as ZREMRANGEBYSCORE.
-- KEYS: sessions, starting, counters, lease, state, key_sessions
--   key_sessions: only where the session has an API key
-- ARGV: id, owner, ttl, resume_ttl, key, most, key_most, refused, room, asked_for, starting_ms, settled_ms, recorded, places
--   id, owner: the session's name and uid; key: its API key, or ''
--   ttl, resume_ttl: life of the lease, and of the state of a session that may be resumed (s); '' where it may not
--   most, key_most: how many sessions there may be, and how many of the key; key_most '': as many as of others
--   refused: '1' where the load says no; room, asked_for: how many may be starting, how many there may be by the load
--   starting_ms, settled_ms: how long a session counts as starting, and as not settled
--   recorded: '1' for a recording, which does not count as starting
--   places: how many it takes, one a channel; those after the first are members of the sets by its name and a number
-- Returns a refusal's name or 'ok'; where a session goes on {its owner before, what is settled}.
local sessions, starting, counters, lease, state, key_sessions = unpack(KEYS)
local id, owner, ttl, resume_ttl, key, most, key_most, refused, room, asked_for, starting_ms, settled_ms, recorded, places = unpack(ARGV)
places = tonumber(places)

local time = redis.call('TIME')
local now, now_ms = tonumber(time[1]), time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', sessions, '-inf', now)
redis.call('ZREMRANGEBYSCORE', starting, '-inf', now_ms - settled_ms)
if key_sessions then redis.call('ZREMRANGEBYSCORE', key_sessions, '-inf', now) end
redis.call('HINCRBY', counters, 'requests', 1)

local kept = redis.call('HMGET', state, 'owner', 'key', 'settled', 'from')
local holder, resumes = redis.call('GET', lease), resume_ttl ~= '' and kept[2] == key
local answer = 'ok'
-- the owner itself asks again when it has not heard the answer
if kept[2] and kept[2] ~= key or holder and holder ~= owner and not resumes then answer = 'exists'
elseif holder then answer = 'ok'
elseif refused == '1' then answer = 'refused'
elseif redis.call('ZCARD', sessions) + places > tonumber(most) then answer = 'full'
elseif key_most ~= '' and redis.call('ZCARD', key_sessions) + places > tonumber(key_most) then answer = 'key full'
-- where nobody is inside, one session may be, whatever it takes
elseif redis.call('ZCARD', sessions) + places > math.max(tonumber(asked_for), places)
  or redis.call('ZCOUNT', starting, now_ms - starting_ms, '+inf') + places > math.max(tonumber(room), places) then
  answer = 'congested'
end
if answer ~= 'ok' then
  redis.call('HINCRBY', counters, 'rejected', 1)
  return answer
end

redis.call('SET', lease, owner, 'EX', ttl)
for place = 1, places do
  local name = place == 1 and id or id .. ' ' .. place
  redis.call('ZADD', sessions, now + ttl, name)
  if not holder and recorded ~= '1' then redis.call('ZADD', starting, now_ms, name) end
  if key_sessions then redis.call('ZADD', key_sessions, now + ttl, name) end
end
if key_sessions then redis.call('EXPIRE', key_sessions, ttl) end
if not resumes then
  redis.call('DEL', state)
  return answer
end
-- who asks again is told of the same owner as before
local from = kept[1] == owner and kept[4] or kept[1]
redis.call('HSET', state, 'owner', owner, 'from', from)
redis.call('EXPIRE', state, resume_ttl)
return {from, kept[3]}
