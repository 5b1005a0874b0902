-- KEYS: the session. ARGV: attempt. Returns whether the token may be sent.
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[1], 'attempt_since', now, 'attempt_sent', 1)
return 1
