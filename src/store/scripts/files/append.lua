--[[ One more piece of a resumable upload lies in storage.
  ARGV     (2) id, offset at which it begins, bytes, name, pieces an upload may have
  Returns  the offset after it, or -1: the upload is gone, has moved on meanwhile, or has too many pieces
  A script because two connections may send the same bytes, and only one of them may have sent them. ]]
local id, at, bytes = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if statusOf(id) ~= 'uploading' then return -1 end
local parts = fileKey(id) .. ':parts'
local line = whole(bytes) .. ' ' .. ARGV[5]
local offset = tonumber(redis.call('HGET', fileKey(id), 'offset') or '-1')
-- The reply to the same call was lost.
if offset == at + bytes and redis.call('LINDEX', parts, -1) == line then return offset end
if offset ~= at or redis.call('LLEN', parts) >= tonumber(ARGV[6]) then return -1 end
redis.call('RPUSH', parts, line)
redis.call('HSET', fileKey(id), 'offset', whole(at + bytes))
return at + bytes
