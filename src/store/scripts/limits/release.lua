--[[ Gives back a session's slots and whatever its lease holds. What is still running under it is booked as estimated, so
  that nothing that was bought is lost.
  ARGV     now, session
  Returns  1
  A script because slots, holds and records change together. ]]
endLease(ARGV[2])
return 1
