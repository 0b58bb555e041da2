--[[ Counts a request of a key, or refuses it (GCRA: one stored instant says how much has been asked for).
  KEYS[1]  when all that was asked for is paid off   STRING  epoch ms, gone once it has passed
  ARGV     now (epoch ms, empty for Redis's own time), requests allowed, in a window of (ms)
  Returns  1 allowed or 0 refused, requests left, ms until all of them are there again, ms to wait where refused
  A script because requests of one key come to many nodes at once. A command that is sent again after a lost reply counts
  twice: the caller loses one request of a minute, and never gains one. ]]
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local quota, window = tonumber(ARGV[2]), tonumber(ARGV[3])
local each = window / quota
local paid = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local wait = paid + each - (now + window)
-- A thousandth is lost to the text form.
if wait > 0.01 then return { 0, 0, math.ceil(paid - now), math.ceil(wait) } end
paid = paid + each
redis.call('SET', KEYS[1], string.format('%.3f', paid), 'PX', math.ceil(paid - now))
return { 1, math.floor((now + window - paid) / each + 0.001), math.ceil(paid - now), 0 }
