--[[ Gives the lease back, so that another node leads at once.
  KEYS[1]  the lease       STRING with expiry  node id
  ARGV     node id
  Returns  1 given back, 0 it was another's
  A script because the lease may have passed to another meanwhile. ]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
