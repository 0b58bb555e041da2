--[[ Puts one owner of the journal in place of another.
  KEYS[1]  the owner  STRING
  ARGV     who it must be now ('' for nobody), who it is to be, how long (ms, 0 for ever)
  Returns  1 done, 0 it is somebody else
  A script because two readers may find at once that Redis has forgotten the owner, and one of them must wait. ]]
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[3] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
