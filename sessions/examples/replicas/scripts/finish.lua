-- KEYS: the session. ARGV: attempt, token, seconds that it is valid or ''. Returns whether the token
-- is kept. Asked again after a response that was lost, it answers the same.
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then
  return redis.call('HGET', KEYS[1], 'token') == ARGV[2] and 1 or 0
end
local now = tonumber(redis.call('TIME')[1])
local token_end = ARGV[3] == '' and '' or now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'token', ARGV[2], 'token_end', token_end)
redis.call('HDEL', KEYS[1], 'attempt', 'attempt_since', 'attempt_sent')
return 1
