--[[ Asks for the end of a batch; one that is being finished, or over, stays as it is.
  ARGV     (2) id
  Returns  the record, false where there is none ]]
local id = ARGV[2]
local status = redis.call('HGET', recordKey(id), 'status')
if status == 'validating' or status == 'in_progress' then
  if redis.call('HGET', recordKey(id), 'cancel') ~= '1' then
    redis.call('HSET', recordKey(id), 'cancel', 1, 'at:cancelling', whole(now))
    -- Whoever holds it sees the flag; nobody else may take it for that.
    if redis.call('HGET', recordKey(id), 'token') == '' then redis.call('ZADD', OPEN, whole(now), id) end
  end
end
return recordOf(id)
