--[[ Renews the lease of whoever is buying.
  KEYS[1]  who is buying it now  STRING
  ARGV     token, lease (ms)
  Returns  1 renewed, 0 it is another's by now, or nobody's
  A script because the lease may pass to another between being looked at and being renewed. ]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
