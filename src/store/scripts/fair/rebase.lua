--[[ Lets priorities count from the virtual present again, before they run out.
  KEYS[1]  the order          HASH  as in number.lua
  ARGV     the base as it was seen
  Returns  the base as it is now, as text
  A script because it is done once by whoever comes first. ]]
local state = redis.call('HMGET', KEYS[1], 'now', 'base')
local now, base = state[1] or '0', state[2] or '0'
if base ~= ARGV[1] then return base end
redis.call('HSET', KEYS[1], 'base', now)
return now
