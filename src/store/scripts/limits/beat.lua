--[[ Renews the leases of sessions that are alive.
  ARGV     now, session, session, …
  Writes   leases, slots:<account>, leases:<account>
  Returns  the sessions that have no lease any more: what has been reaped stays so
  A script because a lease must not be reaped between being found and being renewed. ]]
local gone = {}
for i = 2, #ARGV do
  local lease = readLease(ARGV[i])
  if lease then renewLease(lease) else gone[#gone + 1] = ARGV[i] end
end
return gone
