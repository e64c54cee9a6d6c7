#!lua flags=allow-oom
-- Give a session's place back, if it is the owner's still.
-- KEYS: sessions, starting, lease, state, key_sessions
--   key_sessions: only where the session has an API key
-- ARGV: id, owner, resumable
--   id, owner: the session's name and uid; resumable: '1' where another connection may go on with the session
local sessions, starting, lease, state, key_sessions = unpack(KEYS)
local id, owner, resumable = unpack(ARGV)

if resumable == '0' and redis.call('HGET', state, 'owner') == owner then redis.call('DEL', state) end
if redis.call('GET', lease) == owner then
  redis.call('DEL', lease)
  redis.call('ZREM', sessions, id)
  redis.call('ZREM', starting, id)
  if key_sessions then redis.call('ZREM', key_sessions, id) end
end
