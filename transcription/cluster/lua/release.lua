#!lua flags=allow-oom
-- Give a session's place back, if it is the owner's still.
-- KEYS: sessions, starting, lease, state, key_sessions
--   key_sessions: only where the session has an API key
-- ARGV: id, owner, resumable, places
--   id, owner: the session's name and uid; resumable: '1' where another connection may go on with the session
--   places: how many it has
local sessions, starting, lease, state, key_sessions = unpack(KEYS)
local id, owner, resumable, places = unpack(ARGV)

if resumable == '0' and redis.call('HGET', state, 'owner') == owner then redis.call('DEL', state) end
if redis.call('GET', lease) == owner then
  redis.call('DEL', lease)
  for place = 1, tonumber(places) do
    local name = place == 1 and id or id .. ' ' .. place
    redis.call('ZREM', sessions, name)
    redis.call('ZREM', starting, name)
    if key_sessions then redis.call('ZREM', key_sessions, name) end
  end
end
