--[[ The bytes of a file that was condemned are gone: so is its record.
  ARGV     (2) id
  Returns  1, or 0 when there was none ]]
local id = ARGV[2]
if statusOf(id) ~= 'removing' then return 0 end
redis.call('HINCRBY', HELD, 'bytes', 0 - tonumber(redis.call('HGET', fileKey(id), 'bytes')))
redis.call('ZREM', FILES, id)
redis.call('ZREM', EXPIRING, id)
redis.call('DEL', fileKey(id), fileKey(id) .. ':claims', fileKey(id) .. ':parts')
return 1
