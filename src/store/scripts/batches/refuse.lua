--[[ No job can be made of a line.
  ARGV     (2) id, token, line, error (JSON)
  Returns  1, or 0: the hold is lost ]]
local id = ARGV[2]
if redis.call('HGET', recordKey(id), 'token') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1] .. ':batch:' .. id .. ':refused', ARGV[4], ARGV[5])
return 1
