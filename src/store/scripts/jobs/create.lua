--[[ Makes a job, or finds the one that the same request has made before.
  ARGV     … id, idempotency key or '', fingerprint, keep (ms), waiting jobs allowed (-1: any), instant at the caller's clock,
           run at or '', expires at, deadline or '', batch or '', token of the hold on it, input file or '', needed until,
           name, value, name, value, …
  Writes   job:<id>, jobs, jobs:in:<status>, idem:<key>, the outbox (jobs:ready) or jobs:alarms, batch:<id>:jobs and :record,
           file:<id>, its claims and its place among files:expiring
  Returns  { 'created' | 'replayed', record } or { 'mismatch' } or { 'queue_full', jobs begun lately, in how many ms } or
           { 'lost' }: another has the batch now, or nobody any more
  A script because of a hundred equal requests one makes the job, and because a job that is written must be dispatched. The
  caller's instants are lengths from its own present: they are put on Redis's clock, `run at` excepted. ]]
local id, idem, fingerprint, keep = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local allowed, shift = tonumber(ARGV[8]), now - tonumber(ARGV[9])
local runAt, expiresAt, deadline, batch, hold, input = ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local idemKey = KEYS[1] .. ':idem:' .. idem

if idem ~= '' then
  local known = redis.call('GET', idemKey)
  if known then
    local print, first = string.match(known, '^(%S+) (%S+)$')
    if print ~= fingerprint then return { 'mismatch' } end
    local record = recordOf(first)
    if record then return { first == id and 'created' or 'replayed', record } end
  end
end
local own = recordOf(id)
if own then return { 'created', own } end
if batch ~= '' and redis.call('HGET', KEYS[1] .. ':batch:' .. batch .. ':record', 'token') ~= hold then return { 'lost' } end

local waiting = redis.call('ZCARD', jobsKey('in:queued')) + redis.call('ZCARD', jobsKey('in:scheduled'))
if allowed >= 0 and waiting >= allowed then
  local oldest = redis.call('LINDEX', jobsKey('pace'), -1)
  return { 'queue_full', redis.call('LLEN', jobsKey('pace')), oldest and now - tonumber(oldest) or 0 }
end

expiresAt = tonumber(expiresAt) + shift
local patience = ''
if deadline ~= '' then
  deadline = whole(tonumber(deadline) + shift)
  patience = whole(tonumber(deadline) - now)
end
local isLater = runAt ~= '' and tonumber(runAt) > now
if idem ~= '' then redis.call('SET', idemKey, fingerprint .. ' ' .. id, 'PX', keep) end
redis.call('HSET', jobKey(id), 'createdAt', now, 'runAt', runAt, 'batch', batch,
  'expiresAt', expiresAt, 'life', expiresAt - now, 'deadline', deadline, 'patience', patience,
  'attempt', 0, 'tries', 0, 'starts', 0, 'dispatch', 1, 'cancel', 0, 'handed', 0, 'progress', AT_REST, unpack(ARGV, 17))
redis.call('ZADD', JOBS, 0, id)
-- Claimed for a moment until now, it is the job's for as long as the job may need it.
local file = KEYS[1] .. ':file:' .. input
if input ~= '' and redis.call('HGET', file, 'status') == 'ready' then
  local till = tonumber(ARGV[16]) + shift
  local stays = whole(math.max(till, number(redis.call('HGET', file, 'expiresAt'))))
  redis.call('ZADD', file .. ':claims', whole(till), id)
  redis.call('HSET', file, 'expiresAt', stays)
  redis.call('ZADD', KEYS[1] .. ':files:expiring', stays, input)
end
if batch ~= '' then
  redis.call('ZADD', KEYS[1] .. ':batch:' .. batch .. ':jobs', 0, id)
  redis.call('HINCRBY', KEYS[1] .. ':batch:' .. batch .. ':record', 'made', 1)
end

local job = { id = id, status = 'none' }
local priority = redis.call('HGET', jobKey(id), 'priority')
if isLater then
  move(job, 'scheduled', {})
  alarm(id, earliest(runAt, earliest(whole(expiresAt), deadline)))
else
  move(job, 'queued', { 'queuedAt', now })
  alarm(id, earliest(whole(expiresAt), deadline))
  line(id, priority, now)
end
return { 'created', recordOf(id) }
