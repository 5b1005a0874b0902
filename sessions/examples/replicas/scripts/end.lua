-- KEYS: the session, its user. Returns its token. A refresh in progress is part of the session, so
-- it ends too and cannot bring the session back.
local token = redis.call('HGET', KEYS[1], 'token')
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], KEYS[1])
return token
