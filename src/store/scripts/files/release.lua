--[[ A job needs a file no longer.
  ARGV     (2) id, job id, keep (ms from now; '' as if the job had never been)
  Returns  1 when its bytes are to be removed now: nobody can read it any more; 0 otherwise ]]
local id, job = ARGV[2], ARGV[3]
local status = statusOf(id)
if status == 'removing' then return 1 end
if status ~= 'ready' then return 0 end
redis.call('ZREM', fileKey(id) .. ':claims', job)
local needed = neededUntil(id)
if ARGV[4] == '' then
  expireAt(id, math.max(needed, tonumber(redis.call('HGET', fileKey(id), 'unusedUntil'))))
  return 0
end
local keep = tonumber(ARGV[4])
if needed == 0 and keep == 0 then
  condemn(id)
  return 1
end
expireAt(id, math.max(needed, now + keep))
return 0
