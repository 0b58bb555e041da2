--[[ Work has been begun: the virtual present is its number, and never goes back.
  KEYS[1]  the order          HASH  as in number.lua
  ARGV     number, tenants to remember at most
  Returns  1 moved on, 0 it was past that already
  A script because several workers begin work at once. Tenants that have fallen behind the present are forgotten where they
  are too many: they would start from the present anyway. ]]
local number, most = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(redis.call('HGET', KEYS[1], 'now') or '0')
if number <= now then return 0 end
redis.call('HSET', KEYS[1], 'now', ARGV[1])
if redis.call('HLEN', KEYS[1]) > 2 * most then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local tenant = string.match(all[i], '^last:(.*)$')
    if tenant and tonumber(all[i + 1]) <= number then redis.call('HDEL', KEYS[1], all[i], 'request:' .. tenant) end
  end
end
return 1
