--[[ A job's events after a number.
  ARGV     … id, number
  Returns  lines of JSON, oldest first
  A script because the list is cut at its front while it is read. Numbers in the list have no gaps. ]]
local events, after = jobKey(ARGV[4]) .. ':events', tonumber(ARGV[5])
local first = redis.call('LINDEX', events, 0)
if not first then return {} end
local number = tonumber(string.match(first, '^{"id":(%d+)'))
return redis.call('LRANGE', events, math.max(0, after - number + 1), -1)
