--[[ Results of some more lines lie in storage.
  ARGV     (2) id, token, lease (ms), offset of the first of the lines, line and offset after the last, sheet
  Returns  the record, or false: the hold is lost
  A script because of two processes that write down the same lines one may have done so. ]]
local id, token, lease, from, line, offset, sheet = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local record = recordKey(id)
if redis.call('HGET', record, 'token') ~= token then return false end
local sheets = KEYS[1] .. ':batch:' .. id .. ':sheets'
-- The reply to the same call was lost.
if redis.call('LINDEX', sheets, -1) == sheet then return recordOf(id) end
if (redis.call('HGET', record, 'resultOffset') or '0') ~= from then return false end
redis.call('RPUSH', sheets, sheet)
redis.call('HSET', record, 'resultLine', line, 'resultOffset', offset)
redis.call('ZADD', OPEN, whole(now + lease), id)
return recordOf(id)
