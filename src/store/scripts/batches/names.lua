--[[ Notes what some lines are called.
  ARGV     (2) id, token, then hash of a name and line in turn
  Returns  lines whose name another line had before, or false: the hold is lost
  A script because who looks again at lines after another's death must not find them in each other's way. ]]
local id, token = ARGV[2], ARGV[3]
if redis.call('HGET', recordKey(id), 'token') ~= token then return false end
local names = KEYS[1] .. ':batch:' .. id .. ':names'
local taken = {}
for i = 4, #ARGV, 2 do
  if redis.call('HSETNX', names, ARGV[i], ARGV[i + 1]) == 0 and redis.call('HGET', names, ARGV[i]) ~= ARGV[i + 1] then
    taken[#taken + 1] = tonumber(ARGV[i + 1])
  end
end
return taken
