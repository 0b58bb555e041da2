--[[ A job needs a file.
  ARGV     (2) id, job id, until (epoch ms)
  Returns  1, or 0 when there is no such file that is ready
  A claim ends by itself: whoever dies between claiming and creating its job keeps nobody's disk full for ever. ]]
local id, job, till = ARGV[2], ARGV[3], tonumber(ARGV[4])
if statusOf(id) ~= 'ready' then return 0 end
redis.call('ZADD', fileKey(id) .. ':claims', whole(till), job)
local expires = tonumber(redis.call('HGET', fileKey(id), 'expiresAt'))
expireAt(id, math.max(expires, till))
return 1
