--[[ Writes what has become of a webhook message.
  KEYS[1]  root of everything of one tenant, `parley:{t:<tenant>}`; below it:
             :message:<id>         HASH  round, status, attempts, and the fields that are given; gone after its time
             :messages:<status>    ZSET  ids, score 0: read in the order of the ids, which is that of time
  ARGV     id; round: a number, 'new' for a message that is told for the first time, '+' for one more round; status, '' to
           leave it; attempts to add; most messages of one status; kept for (ms); the least id that is young enough;
           then names and values
  Returns  the round, or -1: the message is in a later round, or known already, or not known at all
  A script because an attempt of an earlier round must not overwrite what a later one has come to. ]]
local root, id, asked, status = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local most, keep, oldest = tonumber(ARGV[5]), ARGV[6], ARGV[7]
local record = root .. ':message:' .. id
local known = tonumber(redis.call('HGET', record, 'round') or -1)
local round = known + 1
if asked == '+' then
  if known < 0 then return -1 end
elseif asked == 'new' then
  if known >= 0 then return -1 end
else
  round = tonumber(asked)
  if known > round then return -1 end
end
local before = redis.call('HGET', record, 'status')
if status == '' then status = before or 'pending' end
redis.call('HSET', record, 'round', round, 'status', status, unpack(ARGV, 8))
redis.call('HINCRBY', record, 'attempts', ARGV[4])
if known < 0 then redis.call('PEXPIRE', record, keep) end
if before and before ~= status then redis.call('ZREM', root .. ':messages:' .. before, id) end
local index = root .. ':messages:' .. status
redis.call('ZADD', index, 0, id)
redis.call('PEXPIRE', index, keep)
redis.call('ZREMRANGEBYLEX', index, '-', '(' .. oldest)
local over = redis.call('ZCARD', index) - most
if over > 0 then
  local gone = redis.call('ZPOPMIN', index, over)
  for i = 1, #gone, 2 do redis.call('DEL', root .. ':message:' .. gone[i]) end
end
return round
