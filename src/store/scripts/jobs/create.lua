--[[ Makes a job, or finds the one that the same request has made before.
  ARGV     … id, idempotency key or '', fingerprint, keep (ms), waiting jobs allowed (-1: any), instant at the caller's clock,
           run at or '', expires at, deadline or '', batch or '', name, value, name, value, …
  Writes   job:<id>, jobs, jobs:in:<status>, idem:<key>, the outbox (jobs:ready) or jobs:alarms, batch:<id>:jobs
  Returns  { 'created' | 'replayed', record } or { 'mismatch' } or { 'queue_full', jobs begun lately, in how many ms }
  A script because of a hundred equal requests one makes the job, and because a job that is written must be dispatched. The
  caller's instants are lengths from its own present: they are put on Redis's clock, `run at` excepted. ]]
local id, idem, fingerprint, keep = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local allowed, shift = tonumber(ARGV[8]), now - tonumber(ARGV[9])
local runAt, expiresAt, deadline, batch = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
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
  'attempt', 0, 'tries', 0, 'starts', 0, 'dispatch', 1, 'cancel', 0, 'handed', 0, 'progress', AT_REST, unpack(ARGV, 14))
redis.call('ZADD', JOBS, 0, id)
if batch ~= '' then redis.call('ZADD', KEYS[1] .. ':batch:' .. batch .. ':jobs', 0, id) end

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
