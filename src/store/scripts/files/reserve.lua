--[[ Begins a file: its record, and room for it.
  ARGV     (2) id, head (JSON), bytes promised, expires at (epoch ms), bytes a tenant may have ('' for any), files it may
           have ('' for any), length of a resumable upload ('' for none), note of it
  Returns  'ok', 'bytes' or 'files': what there is no room for
  A script because many uploads at once must not pass a quota that each of them alone would keep. ]]
local id, head, bytes, expires = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local mostBytes, mostFiles = tonumber(ARGV[6]), tonumber(ARGV[7])
if statusOf(id) then return 'ok' end
if mostFiles and redis.call('ZCARD', FILES) >= mostFiles then return 'files' end
local held = tonumber(redis.call('HGET', HELD, 'bytes') or '0')
if mostBytes and held + bytes > mostBytes then return 'bytes' end
redis.call('HINCRBY', HELD, 'bytes', bytes)
redis.call('ZADD', FILES, 0, id)
redis.call('HSET', fileKey(id), 'head', head, 'status', 'uploading', 'bytes', bytes)
if ARGV[8] ~= '' then redis.call('HSET', fileKey(id), 'length', ARGV[8], 'offset', 0, 'note', ARGV[9]) end
expireAt(id, expires)
return 'ok'
