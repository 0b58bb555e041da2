--[[ One page of a tenant's files, newest first.
  ARGV     (2) after, before (ids, '' for none), purpose ('' for all), most
  Returns  whether there are more, then the files as flat lists of names and values
  With `before` alone the page is the one that ends right before that file. ]]
local after, before, purpose, most = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local index = FILES .. ':ready' .. (purpose ~= '' and ':' .. purpose or '')
local newest = after ~= '' and '(' .. after or '+'
local oldest = before ~= '' and '(' .. before or '-'
local isBackward = before ~= '' and after == ''
local ids
if isBackward then ids = redis.call('ZRANGEBYLEX', index, oldest, newest, 'LIMIT', 0, most + 1)
else ids = redis.call('ZREVRANGEBYLEX', index, newest, oldest, 'LIMIT', 0, most + 1) end
local reply = { #ids > most and 1 or 0 }
for i = 1, math.min(#ids, most) do
  local id = isBackward and ids[math.min(#ids, most) + 1 - i] or ids[i]
  reply[i + 1] = redis.call('HGETALL', fileKey(id))
end
return reply
