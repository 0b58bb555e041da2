--[[ Gives work its place in the fair order: virtual finish numbers.
  KEYS[1]  the order          HASH  now, base, and for each tenant its last number and its last request
  ARGV     tenant, request id, cost (ms), weight, pieces of that cost
  Returns  { base, number, number, … } as text: numbers are ms of work, priorities in the queue count from the base
  A number is where the work would end if all tenants were served at once, each by its weight: max(now, the tenant's last) +
  cost ÷ weight. A script because two processes may number work of one tenant at once. A request that is sent again, because
  its reply was lost, gets the numbers it got. ]]
local tenant, request, cost, weight, pieces = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local state = redis.call('HMGET', KEYS[1], 'now', 'base', 'last:' .. tenant, 'request:' .. tenant)
local now, base, last = tonumber(state[1] or '0'), state[2] or '0', tonumber(state[3] or '0')
local step = math.max(1, math.floor(cost / weight))
local first
local known, from = string.match(state[4] or '', '^(%S+) (%d+)$')
if known == request then
  first = tonumber(from)
else
  first = math.max(now, last) + step
  redis.call('HSET', KEYS[1], 'last:' .. tenant, string.format('%.0f', first + step * (pieces - 1)),
    'request:' .. tenant, request .. ' ' .. string.format('%.0f', first))
end
local reply = { base }
for i = 0, pieces - 1 do reply[#reply + 1] = string.format('%.0f', first + step * i) end
return reply
