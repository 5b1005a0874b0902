-- KEYS: the session, its user. ARGV: attempt, the expired token, milliseconds until the token must
-- be about to be sent, milliseconds from then on. Asked again after a response that was lost, it
-- answers the same.
local kept = redis.call('HMGET', KEYS[1], 'token', 'attempt', 'attempt_since', 'attempt_sent')
if not kept[1] then return 'gone' end
if kept[1] ~= ARGV[2] then return 'changed' end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if kept[2] and kept[2] ~= ARGV[1] then
  local limit = tonumber(kept[4] and ARGV[4] or ARGV[3])
  if now - tonumber(kept[3]) < limit then return 'wait' end
  if kept[4] then
    -- Nobody knows whether the provider has redeemed the token: it is abandoned.
    redis.call('DEL', KEYS[1])
    redis.call('ZREM', KEYS[2], KEYS[1])
    return 'gone'
  end
end
redis.call('HSET', KEYS[1], 'attempt', ARGV[1], 'attempt_since', now)
return 'yours'
