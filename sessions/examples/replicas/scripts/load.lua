-- KEYS: the session. Returns login, token, whether the token has expired. It writes in any case: a
-- copy that is read-only may not know yet that the session has ended.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return false end
local now = tonumber(redis.call('TIME')[1])
local kept = redis.call('HMGET', KEYS[1], 'login', 'token', 'token_end', 'user')
if not kept[1] or not kept[2] or not kept[4] then return false end
-- A session that its user's list has lost could not be ended with the others: it has ended.
if redis.call('TYPE', kept[4]).ok ~= 'zset' then return false end
if not redis.call('ZSCORE', kept[4], KEYS[1]) then return false end
redis.call('HSET', KEYS[1], 'seen', now)
local token_end = tonumber(kept[3])
local expired = token_end and token_end <= now
return { kept[1], kept[2], expired and 1 or 0 }
