--[[ Records the end of a session whose node died and that nobody came back to.
  KEYS[1]  the session's record    HASH
  ARGV     the dead owner, reason, now (epoch ms)
  Returns  1 recorded (what was kept for a successor is gone), 0 somebody else owns it by now, or it has ended
  A script because every worker may sweep at once, and a caller may return at the same moment. ]]
local record = redis.call('HMGET', KEYS[1], 'owner', 'phase')
if record[1] ~= ARGV[1] or record[2] == 'ended' then return 0 end
redis.call('HSET', KEYS[1], 'phase', 'ended', 'reason', ARGV[2], 'endedAt', ARGV[3], 'tail', '', 'resume', '')
return 1
