--[[ All bytes of a file are there.
  ARGV     (2) id, bytes, sha256, mime, media (JSON or ''), unused until (epoch ms), purpose
  Returns  1, or 0 when the file is gone meanwhile; doing it twice does no harm ]]
local id, bytes = ARGV[2], tonumber(ARGV[3])
local status = statusOf(id)
if status == 'ready' then return 1 end
if status ~= 'uploading' then return 0 end
local promised = tonumber(redis.call('HGET', fileKey(id), 'bytes'))
redis.call('HINCRBY', HELD, 'bytes', bytes - promised)
redis.call('HSET', fileKey(id), 'status', 'ready', 'bytes', bytes, 'sha256', ARGV[4], 'mime', ARGV[5], 'media', ARGV[6],
  'unusedUntil', ARGV[7], 'purpose', ARGV[8])
redis.call('ZADD', FILES .. ':ready', 0, id)
redis.call('ZADD', FILES .. ':ready:' .. ARGV[8], 0, id)
expireAt(id, tonumber(ARGV[7]))
return 1
