--[[ Writes where the spend objective stands, for the leader only, and tells the other nodes.
  KEYS[1]  the lease       STRING with expiry  node id
  KEYS[2]  where it stands STRING
  ARGV     node id, where it stands, time to live (ms), channel, 1 to tell the others
  Returns  1 written, 0 another node leads by now
  A script because a leader that was paused must not overwrite what its successor decided. ]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
if ARGV[5] == '1' then redis.call('PUBLISH', ARGV[4], ARGV[2]) end
return 1
