--[[ Gives back a session's slots and whatever its lease holds. What is still running under it is booked as estimated, so
  that nothing that was bought is lost.
  ARGV     now, session, id, id, … of records that were noted as running and have not been bought
  Returns  1
  A script because slots, holds and records change together. ]]
for i = 3, #ARGV do redis.call('HDEL', key('lease', ARGV[2]), 'running:' .. ARGV[i]) end
endLease(ARGV[2])
return 1
