-- KEYS: the user. Returns the key and the token of each session.
local ended = {}
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local token = redis.call('HGET', key, 'token')
  if token then ended[#ended + 1] = { key, token } end
  redis.call('DEL', key)
end
redis.call('DEL', KEYS[1])
return ended
