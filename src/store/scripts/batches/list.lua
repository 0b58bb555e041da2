--[[ One page of a tenant's batches, newest first.
  ARGV     (2) after, before (ids, '' for none), most
  Returns  whether there are more, then records
  Records go by themselves some time after their end; an id without one is forgotten when it is met. ]]
local after, before, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local newest = after ~= '' and '(' .. after or '+'
local oldest = before ~= '' and '(' .. before or '-'
local isBackward = before ~= '' and after == ''
local found = {}
for _ = 1, 20 do
  local command = isBackward and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX'
  local ids = isBackward and redis.call(command, BATCHES, oldest, newest, 'LIMIT', 0, most + 1)
    or redis.call(command, BATCHES, newest, oldest, 'LIMIT', 0, most + 1)
  found = {}
  local gone = {}
  for _, id in ipairs(ids) do
    local record = recordOf(id)
    if record then found[#found + 1] = record else gone[#gone + 1] = id end
  end
  if #gone == 0 then break end
  redis.call('ZREM', BATCHES, unpack(gone))
end
local reply = { #found > most and 1 or 0 }
local last = math.min(#found, most)
for i = 1, last do reply[i + 1] = isBackward and found[last + 1 - i] or found[i] end
return reply
