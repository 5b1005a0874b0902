-- KEYS: the session, its user. ARGV: login, token, seconds that the token is valid or '',
-- lifetime in seconds, most sessions of one user.
local now = tonumber(redis.call('TIME')[1])
local token_end = ARGV[3] == '' and '' or now + tonumber(ARGV[3])
local lifetime = tonumber(ARGV[4])

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'login', ARGV[1], 'token', ARGV[2], 'token_end', token_end, 'seen', now,
  'user', KEYS[2])
redis.call('PEXPIRE', KEYS[1], lifetime * 1000)

if redis.call('TYPE', KEYS[2]).ok ~= 'zset' then redis.call('DEL', KEYS[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + lifetime, KEYS[1])
redis.call('PEXPIRE', KEYS[2], lifetime * 1000)

local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if excess > 0 then
  for _, oldest in ipairs(redis.call('ZPOPMIN', KEYS[2], excess)) do
    if string.sub(oldest, 1, 17) == 'replicas:session:' then redis.call('DEL', oldest) end
  end
end
return true
