--[[ Writes how far a batch has come, for whoever holds it.
  ARGV     (2) id, token, look again in (ms), '' to keep holding it, lease (ms), record kept once it is over (ms), then names
           and values
  Returns  the record, or false: the hold is lost
  A status that is the last takes the batch from those that are looked at, and is told to webhooks. ]]
local id, token, again, lease, kept = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local record = recordKey(id)
if redis.call('HGET', record, 'token') ~= token then return false end
if #ARGV > 6 then redis.call('HSET', record, unpack(ARGV, 7)) end
local status = redis.call('HGET', record, 'status')
if status ~= 'validating' then redis.call('UNLINK', KEYS[1] .. ':batch:' .. id .. ':names') end
local isNew = redis.call('HSETNX', record, 'at:' .. status, whole(now)) == 1
if status == 'completed' or status == 'failed' or status == 'expired' or status == 'cancelled' then
  redis.call('HSET', record, 'token', '')
  redis.call('ZREM', OPEN, id)
  if isNew then
    -- Told by whoever tells what becomes of jobs, in the same form.
    local metadata = cjson.encode(cjson.decode(redis.call('HGET', record, 'head')).metadata)
    redis.call('ZADD', KEYS[1] .. ':jobs:news', whole(now), string.format(
      '{"id":"msg_%s_1","type":"batch.%s","at":%s,"job":"%s","seq":1,"webhook":null,"metadata":%s}',
      string.sub(id, 7), status, whole(now), id, metadata))
  end
  local counts = KEYS[1] .. ':batch:' .. id
  redis.call('UNLINK', counts .. ':sheets')
  for _, each in ipairs({ record, counts, counts .. ':refused', counts .. ':jobs' }) do redis.call('PEXPIRE', each, kept) end
elseif again == '' then
  redis.call('ZADD', OPEN, whole(now + lease), id)
else
  redis.call('HSET', record, 'token', '')
  redis.call('ZADD', OPEN, whole(now + tonumber(again)), id)
end
return recordOf(id)
