-- KEYS: the user. Returns key, login and time of the last request of each session.
local found = {}
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local kept = redis.call('HMGET', key, 'login', 'seen')
  if kept[1] and kept[2] then
    found[#found + 1] = { key, kept[1], tonumber(kept[2]) }
  else
    redis.call('ZREM', KEYS[1], key)
  end
end
return found
