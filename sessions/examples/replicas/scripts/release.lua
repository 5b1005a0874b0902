-- KEYS: the session. ARGV: attempt.
if redis.call('HGET', KEYS[1], 'attempt') == ARGV[1] then
  redis.call('HDEL', KEYS[1], 'attempt', 'attempt_since', 'attempt_sent')
end
return true
