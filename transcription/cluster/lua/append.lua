#!lua
-- Write a piece of audio at its place, once or again, where Redis has all that comes before it: no hole is made.
-- KEYS: audio
-- ARGV: offset, pcm, ttl
--   offset: where the piece belongs (bytes); ttl: how long the audio is kept (s)
-- Returns 1, or 0 where what comes before is not there.
local audio = KEYS[1]
local offset, pcm, ttl = unpack(ARGV)

if redis.call('STRLEN', audio) < tonumber(offset) then return 0 end
redis.call('SETRANGE', audio, offset, pcm)
redis.call('EXPIRE', audio, ttl)
return 1
